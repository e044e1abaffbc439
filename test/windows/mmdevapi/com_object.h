// What every COM object of this library has: a count and its interfaces.
#pragma once

#include <atomic>
#include <utility>

#include "../../../src/backend/wasapi/com_support.h"
#include "../../../src/backend/wasapi/windows_sdk.h"

namespace patchcord {

// 0 once a program has released all that it was given; a script can ask ("objects").
inline std::atomic<int> live_objects{0};

// On the heap, born with one reference. Agile, as Windows' own audio objects are: one pointer
// serves every apartment.
template <class First, class... Rest>
class ComObject : public First, public Rest... {
 public:
  ComObject() { ++live_objects; }
  ComObject(const ComObject&) = delete;
  ComObject& operator=(const ComObject&) = delete;

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** object) override {
    if (object == nullptr) return E_POINTER;
    *object = nullptr;
    if (iid == __uuidof(IUnknown) || iid == __uuidof(IAgileObject)) {
      *object = static_cast<First*>(this);
    } else {
      offer<First>(iid, object);
      (offer<Rest>(iid, object), ...);
    }
    if (*object == nullptr) return E_NOINTERFACE;
    AddRef();
    return S_OK;
  }
  ULONG STDMETHODCALLTYPE AddRef() override { return ++references_; }
  ULONG STDMETHODCALLTYPE Release() override {
    const ULONG left = --references_;
    if (left == 0) delete this;
    return left;
  }

 protected:
  virtual ~ComObject() { --live_objects; }

 private:
  template <class Interface>
  void offer(REFIID iid, void** object) {
    if (iid == __uuidof(Interface)) *object = static_cast<Interface*>(this);
  }

  std::atomic<ULONG> references_{1};
};

// One more reference, for a ComPtr that shares an object.
template <class T>
T* retain(T* object) {
  object->AddRef();
  return object;
}

// Gives a new object away: as `iid`, or not at all.
template <class T>
HRESULT hand_over(T* made, REFIID iid, void** object) {
  const ComPtr<T> owned(made);
  return owned->QueryInterface(iid, object);
}

}  // namespace patchcord
