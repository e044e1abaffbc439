// A mmdevapi.dll for tests: what CoCreateInstance(MMDeviceEnumerator) and
// ActivateAudioInterfaceAsync reach when it stands in the place of Windows' own. It serves the
// simulated world (src/backend/simulated) through Core Audio's interfaces, so that the unmodified
// addon is driven through what no real machine does on demand.
//
// Environment of the program:
//   PATCHCORD_MMDEVAPI_PORT    where a test listens for it (control.h)
//   PATCHCORD_MMDEVAPI_SCRIPT  a file of commands that make the first world; without it the world
//   is
//                              WorldDescription::standard()
#include "../../../src/backend/wasapi/windows_sdk.h"
#include "counted_object.h"
#include "engine.h"
#include "enumerator.h"
#include "process_loopback.h"

namespace patchcord {
namespace {

class EnumeratorFactory final : public CountedObject<IClassFactory> {
 public:
  HRESULT STDMETHODCALLTYPE CreateInstance(IUnknown* outer, REFIID iid, void** object) override {
    if (object == nullptr) return E_POINTER;
    *object = nullptr;
    PATCHCORD_SCRIPTED("", "CoCreateInstance");
    if (outer != nullptr) return CLASS_E_NOAGGREGATION;
    return DeviceEnumerator::get()->QueryInterface(iid, object);
  }
  HRESULT STDMETHODCALLTYPE LockServer(BOOL) override { return S_OK; }
};

}  // namespace
}  // namespace patchcord

extern "C" {

__declspec(dllexport) HRESULT WINAPI DllGetClassObject(REFCLSID clsid, REFIID iid, LPVOID* object) {
  if (object == nullptr) return E_POINTER;
  *object = nullptr;
  if (clsid != __uuidof(MMDeviceEnumerator)) return CLASS_E_CLASSNOTAVAILABLE;
  return patchcord::hand_over(new patchcord::EnumeratorFactory, iid, object);
}

__declspec(dllexport) HRESULT WINAPI DllCanUnloadNow() { return S_FALSE; }

__declspec(dllexport) HRESULT WINAPI
    ActivateAudioInterfaceAsync(LPCWSTR device, REFIID iid, PROPVARIANT* params,
                                IActivateAudioInterfaceCompletionHandler* handler,
                                IActivateAudioInterfaceAsyncOperation** operation) {
  return patchcord::activate_process_loopback(device, iid, params, handler, operation);
}
}
