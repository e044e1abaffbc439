// The base of the engine's COM objects: a reference count, and the interfaces.
#pragma once

#include <atomic>

#include "com_support.h"

namespace patchcord {

// On the heap, with one reference at first: the system may call it after its owner has released it.
// It is an agile object (IAgileObject): one pointer serves every apartment; some calls refuse any
// other kind.
template <class First, class... Rest>
class ComObject : public First, public Rest... {
 public:
  ComObject() = default;
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
  virtual ~ComObject() = default;

 private:
  template <class Interface>
  void offer(REFIID iid, void** object) {
    if (iid == __uuidof(Interface)) *object = static_cast<Interface*>(this);
  }

  std::atomic<ULONG> references_{1};
};

}  // namespace patchcord
