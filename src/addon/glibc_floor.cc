// Lets the Linux addon load with the oldest glibc that runs Node 20 (2.28), whatever system
// compiles it. A linker binds every function to its newest version, and glibc 2.34 gave new
// versions to all thread functions. Here each function is bound to its first version; newer
// libraries still have those, with the same code. The linker's --wrap redirects all calls to this
// file, libstdc++.a's included; scripts/glibc-floor.mjs makes its flags from the WRAP lines of this
// file. The package's test names any function that must be added. Any thread.
#if __has_include(<gnu/libc-version.h>)

#include <cstddef>
#include <cstdint>
#include <ctime>

#if defined(__x86_64__)
#define BORN "GLIBC_2.2.5"
#define SETNAME_BORN "GLIBC_2.12"
#elif defined(__aarch64__)
#define BORN "GLIBC_2.17"
#define SETNAME_BORN "GLIBC_2.17"
#else
#error "which glibc was this processor's first?"
#endif

// Types by the processor's calling convention. Handles and attributes are opaque here, so that no
// system header is needed.
using Handle = unsigned long;
using Key = unsigned int;

#define WRAP(name, version, result, parameters, ...)    \
  __asm__(".symver old_" #name ", " #name "@" version); \
  extern "C" result old_##name parameters;              \
  extern "C" result __wrap_##name parameters { return old_##name(__VA_ARGS__); }

WRAP(pthread_create, BORN, int,
     (Handle * thread, const void* a, void* (*run)(void*), void* argument), thread, a, run,
     argument)
WRAP(pthread_join, BORN, int, (Handle thread, void** result), thread, result)
WRAP(pthread_detach, BORN, int, (Handle thread), thread)
WRAP(pthread_once, BORN, int, (int* control, void (*run)()), control, run)
WRAP(pthread_setname_np, SETNAME_BORN, int, (Handle thread, const char* name), thread, name)
WRAP(pthread_key_create, BORN, int, (Key * key, void (*destroy)(void*)), key, destroy)
WRAP(__pthread_key_create, BORN, int, (Key * key, void (*destroy)(void*)), key, destroy)
WRAP(pthread_key_delete, BORN, int, (Key key), key)
WRAP(pthread_getspecific, BORN, void*, (Key key), key)
WRAP(pthread_setspecific, BORN, int, (Key key, const void* value), key, value)
WRAP(pthread_mutex_trylock, BORN, int, (void* mutex), mutex)
WRAP(dlopen, BORN, void*, (const char* file, int flags), file, flags)
WRAP(dlsym, BORN, void*, (void* library, const char* name), library, name)
WRAP(dlclose, BORN, int, (void* library), library)
WRAP(dlerror, BORN, char*, ())
WRAP(exp, BORN, double, (double x), x)
WRAP(exp2, BORN, double, (double x), x)
WRAP(log, BORN, double, (double x), x)
WRAP(log2, BORN, double, (double x), x)
WRAP(pow, BORN, double, (double x, double y), x, y)

// The functions from here on have no older version. Each does what its caller would do without it.
extern "C" int getentropy(void* buffer, size_t length);

// 2.36; std::random_device uses it. getentropy has existed since 2.25.
extern "C" uint32_t __wrap_arc4random() {
  uint32_t value;
  if (getentropy(&value, sizeof value) != 0) __builtin_trap();
  return value;
}

// 2.35; finds the handler of an exception. We compile without exceptions: an exception in libstdc++
// ends the process, whatever this returns.
extern "C" int __wrap__dl_find_object(void*, void*) { return -1; }

// 2.32; whether atomic operations may be left out. They may not, in a process with audio threads.
extern "C" {
char __wrap___libc_single_threaded = 0;
}

#endif
