// The native tests' harness. Each *_test.cc includes it once and becomes a separate program:
//
//   TEST("what must hold") { CHECK(a == b); CHECK_NEAR(x, 1.0, 1e-6); }
//   LONG_TEST("what must hold for an hour") { ... }
//
// The program prints `ok name` or `not ok name` for each test and the sum; arguments are parts of
// names to run only those. Checks may be made from any thread. Each test runs in a separate
// process: one that crashes fails alone, and leaks are found in the test that has them. A test that
// started a thread is followed by a line `threads: name`: ThreadSanitizer has nothing to find in
// the others. Long tests run without a sanitizer, which makes them up to twenty times slower and
// would find nothing in minutes of audio that it does not find in the seconds of the other tests.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace check {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

struct Test {
  const char* name;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline std::atomic<int>& failures() {
  static std::atomic<int> count{0};
  return count;
}

struct Registration {
  Registration(const char* name, bool is_long, void (*body)()) {
    if (!is_long || !kSanitized) tests().push_back({name, body});
  }
};

// A test that fails in a loop would print millions of lines: the first ten say enough.
inline bool report() { return failures().fetch_add(1) < 10; }

inline void that(bool holds, const char* text, const char* file, int line) {
  if (holds || !report()) return;
  std::printf("  %s:%d: CHECK(%s)\n", file, line, text);
}

inline void near(double value, double expected, double tolerance, const char* text,
                 const char* file, int line) {
  // Written so that NaN fails.
  if (std::fabs(value - expected) <= tolerance || !report()) return;
  std::printf("  %s:%d: %s is %.9g, not %.9g within %.3g\n", file, line, text, value, expected,
              tolerance);
}

inline bool chosen(const char* name, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strstr(name, argv[i]) != nullptr) return true;
  }
  return argc <= 1;
}

// The report of a test's process to the process that waits for it.
struct Verdict {
  int failures = 0;
  bool ended = false;
  bool threads = true;  // where the C library does not say
};

[[noreturn]] inline void run_here(const Test& test, Verdict* verdict) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // one that hangs is stopped with the program
  test.body();
  verdict->failures = failures();
  verdict->ended = true;
#if __has_include(<sys/single_threaded.h>)
  // glibc clears it when the first thread is started.
  verdict->threads = __libc_single_threaded == 0;
#endif
  std::exit(0);  // unless a sanitizer has found something
}

inline bool passes(const Test& test) {
  void* const shared =
      mmap(nullptr, sizeof(Verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) std::abort();
  auto* const verdict = new (shared) Verdict;
  const auto began = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) run_here(test, verdict);
  int status = -1;
  const bool exited = child > 0 && waitpid(child, &status, 0) == child;
  const bool ok = exited && status == 0 && verdict->ended && verdict->failures == 0;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (status != 0) std::printf("  its process ended with status 0x%x\n", status);
  if (seconds >= 5) std::printf("  took %.1f s\n", seconds);
  std::printf("%s %s\n", ok ? "ok" : "not ok", test.name);
  if (verdict->threads) std::printf("threads: %s\n", test.name);
  std::fflush(stdout);
  munmap(shared, sizeof(Verdict));
  return ok;
}

inline int run(int argc, char** argv) {
  int passed = 0;
  int failed = 0;
  for (const Test& test : tests()) {
    if (chosen(test.name, argc, argv)) ++(passes(test) ? passed : failed);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace check

#define CHECK_JOIN_(a, b) a##b
#define CHECK_NAME_(a, b) CHECK_JOIN_(a, b)
#define TEST(name) CHECK_TEST_(name, false)
#define LONG_TEST(name) CHECK_TEST_(name, true)
#define CHECK_TEST_(name, is_long)                                         \
  static void CHECK_NAME_(test_, __LINE__)();                              \
  static const ::check::Registration CHECK_NAME_(registration_, __LINE__)( \
      name, is_long, &CHECK_NAME_(test_, __LINE__));                       \
  static void CHECK_NAME_(test_, __LINE__)()
#define CHECK(condition) ::check::that(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
#define CHECK_NEAR(value, expected, tolerance) \
  ::check::near(value, expected, tolerance, #value, __FILE__, __LINE__)

int main(int argc, char** argv) { return check::run(argc, argv); }
