// One value of an endpoint's property store. Any thread in the multithreaded apartment.
#pragma once

#include <string>

#include "com_support.h"
#include "formats.h"

namespace patchcord {

class EndpointProperty {
 public:
  // `store` may be nullptr: then there is no value, as for an unknown key.
  EndpointProperty(IPropertyStore* store, const PROPERTYKEY& key) {
    PropVariantInit(&value_);
    if (store != nullptr) store->GetValue(key, &value_);
  }
  ~EndpointProperty() { PropVariantClear(&value_); }
  EndpointProperty(const EndpointProperty&) = delete;
  EndpointProperty& operator=(const EndpointProperty&) = delete;

  std::string text() const {
    return value_.vt == VT_LPWSTR && value_.pwszVal != nullptr ? to_utf8(value_.pwszVal) : "";
  }
  bool wave_format(Format* format) const {
    return value_.vt == VT_BLOB && value_.blob.pBlobData != nullptr &&
           from_wave_format(reinterpret_cast<const WAVEFORMATEX*>(value_.blob.pBlobData),
                            value_.blob.cbSize, format);
  }

 private:
  PROPVARIANT value_;
};

}  // namespace patchcord
