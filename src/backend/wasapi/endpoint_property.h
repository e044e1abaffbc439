// One value of an endpoint's property store. Any thread in the multithreaded apartment.
#pragma once

#include <algorithm>
#include <cstring>
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
  // Returns false if there is none.
  bool number(uint32_t* number) const {
    if (value_.vt == VT_UI4) *number = value_.ulVal;
    return value_.vt == VT_UI4;
  }
  // `wave`, if set, receives the description itself.
  bool wave_format(Format* format, WAVEFORMATEXTENSIBLE* wave = nullptr) const {
    if (value_.vt != VT_BLOB || value_.blob.pBlobData == nullptr ||
        !from_wave_format(reinterpret_cast<const WAVEFORMATEX*>(value_.blob.pBlobData),
                          value_.blob.cbSize, format)) {
      return false;
    }
    if (wave == nullptr) return true;
    *wave = {};
    std::memcpy(wave, value_.blob.pBlobData, std::min<size_t>(sizeof(*wave), value_.blob.cbSize));
    return true;
  }

 private:
  PROPVARIANT value_;
};

}  // namespace patchcord
