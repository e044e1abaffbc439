// A library for LD_PRELOAD: it puts the process's wall clock where the test says, as settimeofday()
// would do for the whole machine. The file PATCHCORD_WALL_CLOCK holds the offset, an int64_t of
// nanoseconds, and may be written at any time. A wait that counts on the wall clock lasts until
// that clock shows its deadline, as in the kernel; other waits and clocks are left alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace {

constexpr int64_t kSecond = 1000000000;
constexpr int64_t kLook = kSecond / 2000;  // how soon a wait notices that the clock was set

template <typename Function>
Function real(const char* name, const char* version = nullptr) {
  void* const found = version ? dlvsym(RTLD_NEXT, name, version) : dlsym(RTLD_NEXT, name);
  return reinterpret_cast<Function>(found);
}

int64_t offset() {
  static const volatile int64_t* const shared = [] {
    const char* path = getenv("PATCHCORD_WALL_CLOCK");
    const int file = path ? open(path, O_RDONLY) : -1;
    void* map = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    return map == MAP_FAILED ? nullptr : static_cast<const volatile int64_t*>(map);
  }();
  return shared ? *shared : 0;
}

int64_t to_ns(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }
timespec to_timespec(int64_t ns) { return {ns / kSecond, ns % kSecond}; }

int64_t true_wall_time() {
  static const auto clock_gettime_ = real<int (*)(clockid_t, timespec*)>("clock_gettime");
  timespec now;
  clock_gettime_(CLOCK_REALTIME, &now);
  return to_ns(now);
}

// `wait(until)` waits until an instant of the true wall clock; true: it timed out.
template <typename Wait>
void wait_by_wall_clock(const timespec& deadline, Wait wait) {
  for (;;) {
    const int64_t now = true_wall_time();
    const int64_t until = to_ns(deadline) - offset();
    const bool last = until <= now + kLook;
    if (!wait(to_timespec(last ? until : now + kLook)) || last) return;
  }
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto next = real<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = next(clock, time);
  const bool is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  if (result == 0 && is_wall) *time = to_timespec(to_ns(*time) + offset());
  return result;
}

int gettimeofday(timeval* time, void*) noexcept {
  const timespec now = to_timespec(true_wall_time() + offset());
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) noexcept {
  const time_t now = (true_wall_time() + offset()) / kSecond;
  if (out) *out = now;
  return now;
}

int sem_timedwait(sem_t* semaphore, const timespec* deadline) {
  static const auto next = real<int (*)(sem_t*, const timespec*)>("sem_timedwait");
  int result = 0;
  wait_by_wall_clock(*deadline, [&](const timespec& until) {
    result = next(semaphore, &until);
    return result != 0 && errno == ETIMEDOUT;
  });
  return result;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* deadline) {
  using Next = int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*);
  // Without a version the linker's search would find the one of before glibc 2.3.2.
  static const auto versioned = real<Next>("pthread_cond_timedwait", "GLIBC_2.3.2");
  static const auto next = versioned ? versioned : real<Next>("pthread_cond_timedwait");
  // The condition knows which clock it counts on; here the deadline shows it: no machine has been
  // running for as long as the wall clock counts.
  if (to_ns(*deadline) < true_wall_time() / 2) return next(condition, mutex, deadline);
  int result = 0;
  wait_by_wall_clock(*deadline, [&](const timespec& until) {
    result = next(condition, mutex, &until);
    return result == ETIMEDOUT;
  });
  return result;
}

}  // extern "C"
