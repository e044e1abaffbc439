// One endpoint.
#pragma once

#include "../../../src/backend/backend.h"
#include "counted_object.h"

namespace patchcord {

class Endpoint final : public CountedObject<IMMDevice, IMMEndpoint> {
 public:
  explicit Endpoint(const DeviceInfo& device) : device_(device) {}

  HRESULT STDMETHODCALLTYPE Activate(REFIID iid, DWORD context, PROPVARIANT* params,
                                     void** object) override;
  HRESULT STDMETHODCALLTYPE OpenPropertyStore(DWORD access, IPropertyStore** store) override;
  HRESULT STDMETHODCALLTYPE GetId(LPWSTR* id) override;
  HRESULT STDMETHODCALLTYPE GetState(DWORD* state) override;
  HRESULT STDMETHODCALLTYPE GetDataFlow(EDataFlow* flow) override;

 private:
  // As it is now; this object may be older.
  HRESULT look(DeviceInfo* now) const;

  const DeviceInfo device_;
};

}  // namespace patchcord
