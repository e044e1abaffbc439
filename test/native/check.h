// The native tests' harness. Each *_test.cc includes it once and becomes a program of its own:
//
//   TEST("what must hold") { CHECK(a == b); CHECK_NEAR(x, 1.0, 1e-6); }
//
// The program prints `ok name` or `not ok name` for each test and the sum; arguments are parts of
// names to run only those. Checks may be made from any thread. A program that started no thread
// says so: ThreadSanitizer has nothing to find in it.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace check {

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
  Registration(const char* name, void (*body)()) { tests().push_back({name, body}); }
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

inline int run(int argc, char** argv) {
  int passed = 0;
  int failed = 0;
  for (const Test& test : tests()) {
    if (!chosen(test.name, argc, argv)) continue;
    failures() = 0;
    test.body();
    const bool ok = failures() == 0;
    ++(ok ? passed : failed);
    std::printf("%s %s\n", ok ? "ok" : "not ok", test.name);
    std::fflush(stdout);
  }
#if __has_include(<sys/single_threaded.h>)
  // glibc clears it when the first thread is started.
  if (__libc_single_threaded) std::printf("no thread was started\n");
#endif
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace check

#define CHECK_JOIN_(a, b) a##b
#define CHECK_NAME_(a, b) CHECK_JOIN_(a, b)
#define TEST(name)                                                         \
  static void CHECK_NAME_(test_, __LINE__)();                              \
  static const ::check::Registration CHECK_NAME_(registration_, __LINE__)( \
      name, &CHECK_NAME_(test_, __LINE__));                                \
  static void CHECK_NAME_(test_, __LINE__)()
#define CHECK(condition) ::check::that(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
#define CHECK_NEAR(value, expected, tolerance) \
  ::check::near(value, expected, tolerance, #value, __FILE__, __LINE__)

int main(int argc, char** argv) { return check::run(argc, argv); }
