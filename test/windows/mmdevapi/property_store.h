// Windows' properties of an endpoint: names, format, form.
#pragma once

#include "../../../src/backend/backend.h"
#include "counted_object.h"

namespace patchcord {

// Read-only. A missing value is VT_EMPTY and S_OK, as documented.
class EndpointProperties final : public CountedObject<IPropertyStore> {
 public:
  explicit EndpointProperties(const DeviceInfo& device) : device_(device) {}

  HRESULT STDMETHODCALLTYPE GetCount(DWORD* count) override;
  HRESULT STDMETHODCALLTYPE GetAt(DWORD index, PROPERTYKEY* key) override;
  HRESULT STDMETHODCALLTYPE GetValue(REFPROPERTYKEY key, PROPVARIANT* value) override;
  HRESULT STDMETHODCALLTYPE SetValue(REFPROPERTYKEY, REFPROPVARIANT) override;
  HRESULT STDMETHODCALLTYPE Commit() override;

 private:
  const DeviceInfo device_;
};

}  // namespace patchcord
