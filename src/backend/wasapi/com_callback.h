// What every object of ours has that the system calls: a count, and one interface.
#pragma once

#include <atomic>

#include "com_support.h"

namespace patchcord {

// On the heap and born with one reference: the system may call it when its owner has let go. An
// agile object (IAgileObject), the same in every apartment; some calls refuse any other.
template <class Interface>
class ComCallback : public Interface {
 public:
  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** object) override {
    if (object == nullptr) return E_POINTER;
    *object = nullptr;
    if (iid != __uuidof(IUnknown) && iid != __uuidof(IAgileObject) && iid != __uuidof(Interface)) {
      return E_NOINTERFACE;
    }
    AddRef();
    *object = static_cast<Interface*>(this);
    return S_OK;
  }
  ULONG STDMETHODCALLTYPE AddRef() override { return ++references_; }
  ULONG STDMETHODCALLTYPE Release() override {
    const ULONG left = --references_;
    if (left == 0) delete this;
    return left;
  }

 protected:
  virtual ~ComCallback() = default;

 private:
  std::atomic<ULONG> references_{1};
};

}  // namespace patchcord
