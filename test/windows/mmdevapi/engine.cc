#include "engine.h"

#include <cstdlib>
#include <utility>

#include "control.h"
#include "script.h"

namespace patchcord {
namespace {

// The variables are read when the first audio object is asked for, so a program may set them
// itself.
std::wstring variable(const wchar_t* name) {
  wchar_t value[MAX_PATH];
  const DWORD length = GetEnvironmentVariableW(name, value, MAX_PATH);
  return length < MAX_PATH ? std::wstring(value, length) : std::wstring();
}

// From now on threads of ours run in it: never unloaded, whatever COM or FreeLibrary think.
void stay_loaded() {
  HMODULE self = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&stay_loaded), &self);
}

Engine* begin() {
  stay_loaded();
  const std::wstring script = variable(L"PATCHCORD_MMDEVAPI_SCRIPT");
  std::shared_ptr<World> world;
  World::create(script.empty() ? WorldDescription::standard() : WorldDescription(), &world);
  Engine* const engine = new Engine(std::move(world));
  if (!script.empty()) engine->first_script_error = run_script(*engine, script);
  const std::wstring port = variable(L"PATCHCORD_MMDEVAPI_PORT");
  if (!port.empty())
    start_control(*engine, static_cast<uint16_t>(std::wcstoul(port.c_str(), nullptr, 10)));
  return engine;
}

}  // namespace

Engine& Engine::get() {
  // Never destroyed: when the process ends, its threads have been stopped anywhere.
  static Engine& engine = *begin();
  return engine;
}

}  // namespace patchcord
