// What Windows calls when endpoints change: it raises an event and does nothing else, because these
// callbacks come on a thread of the system that must not block, register, unregister or release.
#pragma once

#include <atomic>

#include "com_support.h"
#include "handle.h"

namespace patchcord {

// On the heap and counted: the enumerator does not keep it alive, its owner does, until
// unregistered. Has no state but the event, so that it is the same in every apartment
// (IAgileObject).
class NotificationClient final : public IMMNotificationClient {
 public:
  // Signalled once for any number of changes.
  HANDLE changed() const { return changed_.get(); }

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** object) override;
  ULONG STDMETHODCALLTYPE AddRef() override;
  ULONG STDMETHODCALLTYPE Release() override;

  // Any thread of the system.
  HRESULT STDMETHODCALLTYPE OnDeviceStateChanged(LPCWSTR id, DWORD state) override;
  HRESULT STDMETHODCALLTYPE OnDeviceAdded(LPCWSTR id) override;
  HRESULT STDMETHODCALLTYPE OnDeviceRemoved(LPCWSTR id) override;
  HRESULT STDMETHODCALLTYPE OnDefaultDeviceChanged(EDataFlow flow, ERole role, LPCWSTR id) override;
  HRESULT STDMETHODCALLTYPE OnPropertyValueChanged(LPCWSTR id, const PROPERTYKEY key) override;

 private:
  ~NotificationClient() = default;

  Handle changed_{make_pulse()};
  std::atomic<ULONG> references_{1};
};

}  // namespace patchcord
