// COM for this backend: apartments, references, and the one place that knows what each HRESULT
// means to a caller.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "../../core/error.h"
#include "windows_sdk.h"

namespace patchcord {

#ifndef NDEBUG
// References held by every ComPtr of the process; 0 once all hosts and streams are gone.
inline std::atomic<int> live_com_references{0};
#endif

// Joins the calling thread to the multithreaded apartment. Only for the backend's own threads: the
// apartment of a JavaScript or libuv thread belongs to the application.
class Apartment {
 public:
  Apartment() : result_(CoInitializeEx(nullptr, COINIT_MULTITHREADED)) {}
  ~Apartment() {
    if (SUCCEEDED(result_)) CoUninitialize();
  }
  Apartment(const Apartment&) = delete;
  Apartment& operator=(const Apartment&) = delete;

 private:
  HRESULT result_;
};

// One counted reference, released by the thread that destroys it.
template <class T>
class ComPtr {
 public:
  ComPtr() = default;
  explicit ComPtr(T* owned) : pointer_(owned) { count(); }
  ~ComPtr() { release(); }
  ComPtr(const ComPtr&) = delete;
  ComPtr& operator=(const ComPtr&) = delete;

  T* get() const { return pointer_; }
  T* operator->() const { return pointer_; }
  explicit operator bool() const { return pointer_ != nullptr; }

  // The out parameter of a call.
  class Receiver {
   public:
    explicit Receiver(ComPtr* owner) : owner_(owner) { owner->release(); }
    ~Receiver() { owner_->count(); }
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;
    operator T**() { return &owner_->pointer_; }
    operator void**() { return reinterpret_cast<void**>(&owner_->pointer_); }

   private:
    ComPtr* owner_;
  };
  Receiver receive() { return Receiver(this); }

 private:
  void count() {
#ifndef NDEBUG
    if (pointer_ != nullptr) ++live_com_references;
#endif
  }
  void release() {
    if (pointer_ == nullptr) return;
#ifndef NDEBUG
    --live_com_references;
#endif
    pointer_->Release();
    pointer_ = nullptr;
  }

  T* pointer_ = nullptr;
};

struct CoTaskMemDeleter {
  void operator()(void* memory) const { CoTaskMemFree(memory); }
};
// Memory that a COM call allocated for its caller.
template <class T>
using CoMem = std::unique_ptr<T, CoTaskMemDeleter>;

// A completed call and its result, which an audio thread can return without allocating.
struct CallResult {
  HRESULT result = S_OK;
  const char* call = "";

  bool failed() const { return FAILED(result); }
};

// `attempt` says what was requested ("opening the microphone"); the reason and the remedy come from
// the HRESULT. Allocates: not while a stream runs.
Error to_error(const CallResult& failure, const std::string& attempt,
               const std::string& device_id = {});

// Explains a denial for an input: Windows has a privacy setting for microphones. Other errors stay
// as they are.
void explain_denied_microphone(const std::string& attempt, Error* error);

// Ids and names are UTF-16 in Windows and UTF-8 in the contract.
std::string to_utf8(const wchar_t* text);
std::wstring to_wide(const std::string& text);

}  // namespace patchcord
