// Receives Windows' notifications of endpoint changes. It only raises an event, because these
// callbacks come on a thread of the system that must not block, register, unregister or release.
#pragma once

#include "com_object.h"
#include "handle.h"

namespace patchcord {

// The enumerator does not hold a reference; the owner does, until it is unregistered.
class NotificationClient final : public ComObject<IMMNotificationClient> {
 public:
  // Signalled once for any number of changes.
  HANDLE changed() const { return changed_.get(); }

  // Any thread of the system.
  HRESULT STDMETHODCALLTYPE OnDeviceStateChanged(LPCWSTR id, DWORD state) override;
  HRESULT STDMETHODCALLTYPE OnDeviceAdded(LPCWSTR id) override;
  HRESULT STDMETHODCALLTYPE OnDeviceRemoved(LPCWSTR id) override;
  HRESULT STDMETHODCALLTYPE OnDefaultDeviceChanged(EDataFlow flow, ERole role, LPCWSTR id) override;
  HRESULT STDMETHODCALLTYPE OnPropertyValueChanged(LPCWSTR id, const PROPERTYKEY key) override;

 private:
  Handle changed_{make_pulse()};
};

}  // namespace patchcord
