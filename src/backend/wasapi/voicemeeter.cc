#include "voicemeeter.h"

#include "com_support.h"
#include "handle.h"

namespace patchcord {
namespace {

// Written by its installer, the same in all three editions.
const wchar_t kUninstallKey[] =
    L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\VB:Voicemeeter {17359A74-1236-5467}";
const wchar_t* const kLibrary =
    sizeof(void*) == 8 ? L"VoicemeeterRemote64.dll" : L"VoicemeeterRemote.dll";

// A fader this low counts as muted.
constexpr float kSilentDb = -40;
// After a login its values arrive gradually; a function reports when new ones have arrived.
constexpr int kFirstPolls = 20;
constexpr DWORD kPollMs = 10;

// The installation folder; empty if it is not installed. VoiceMeeter is a 32-bit program, so the
// key is in that view of the registry.
std::wstring folder() {
  wchar_t text[MAX_PATH] = {};
  DWORD bytes = sizeof(text);
  for (const DWORD view : {RRF_SUBKEY_WOW6432KEY, RRF_SUBKEY_WOW6464KEY}) {
    bytes = sizeof(text);
    if (RegGetValueW(HKEY_LOCAL_MACHINE, kUninstallKey, L"UninstallString", RRF_RT_REG_SZ | view,
                     nullptr, text, &bytes) != ERROR_SUCCESS) {
      continue;
    }
    const std::wstring path = text[0] == L'"' ? text + 1 : text;
    const size_t slash = path.rfind(L'\\');
    if (slash != std::wstring::npos) return path.substr(0, slash + 1);
  }
  return {};
}

// How many strips and buses an edition has. Types from 4 on are the 64-bit programs.
struct Edition {
  int hardware_strips;
  int first_b_bus;
  int b_buses;
};

Edition edition_of(long type) {
  switch (type % 3) {
    case 1:
      return {2, 1, 1};
    case 2:
      return {3, 3, 2};
    default:
      return {5, 5, 3};
  }
}

std::string indexed(const char* kind, int index, const char* parameter) {
  return std::string(kind) + "[" + std::to_string(index) + "]." + parameter;
}

}  // namespace

Voicemeeter::~Voicemeeter() {
  if (logged_in_) logout_();
  // Never unloaded, because it leaves threads running.
}

bool Voicemeeter::load() {
  if (tried_) return library_ != nullptr;
  tried_ = true;
  const std::wstring path = folder();
  if (path.empty()) return false;
  library_ = LoadLibraryW((path + kLibrary).c_str());
  if (library_ == nullptr) return false;
  if (find("VBVMR_Login", &login_) && find("VBVMR_Logout", &logout_) &&
      find("VBVMR_GetVoicemeeterType", &type_) &&
      find("VBVMR_IsParametersDirty", &are_parameters_dirty_) &&
      find("VBVMR_GetParameterFloat", &parameter_)) {
    return true;
  }
  library_ = nullptr;
  return false;
}

bool Voicemeeter::log_in() {
  if (!logged_in_) {
    const long answer = login_();
    logged_in_ = answer == 0 || answer == 1;  // 1: logged in, but the mixer does not run yet
    if (!logged_in_) return false;
    const Handle never(make_latch());
    for (int i = 0; i < kFirstPolls && are_parameters_dirty_() != 1; ++i) {
      WaitForSingleObject(never.get(), kPollMs);
    }
  }
  return true;
}

bool Voicemeeter::number(const std::string& parameter, float* value) const {
  std::string name = parameter;  // the interface does not take constant text
  return parameter_(name.data(), value) == 0;
}

void Voicemeeter::read(const std::string& strip, Hearing* hearing) {
  if (!load() || !log_in()) return;
  are_parameters_dirty_();  // fetches the changes since the last call
  long type = 0;
  if (type_(&type) != 0 || type < 1) {
    hearing->mixer_known = true;
    hearing->mixer_problem = "VoiceMeeter is not running";
    return;
  }
  const Edition edition = edition_of(type);
  const bool is_virtual = strip.compare(0, 8, "Virtual ") == 0;
  const int number_in_kind = strip.empty() ? 0 : strip.back() - '1';
  const int index = (is_virtual ? edition.hardware_strips : 0) + number_in_kind;
  float muted = 0;
  float gain = 0;
  if (!number(indexed("Strip", index, "Mute"), &muted) ||
      !number(indexed("Strip", index, "Gain"), &gain)) {
    return;
  }
  hearing->mixer_known = true;
  if (muted != 0 || gain <= kSilentDb) {
    hearing->mixer_problem = muted != 0 ? "the strip is muted in VoiceMeeter"
                                        : "the fader of the strip is down in VoiceMeeter";
    return;
  }
  bool switched = false;
  for (int bus = 0; bus < edition.b_buses; ++bus) {
    const std::string name = "B" + std::to_string(bus + 1);
    float on = 0;
    float bus_muted = 0;
    float bus_gain = 0;
    if (!number(indexed("Strip", index, name.c_str()), &on) || on == 0) continue;
    switched = true;
    number(indexed("Bus", edition.first_b_bus + bus, "Mute"), &bus_muted);
    number(indexed("Bus", edition.first_b_bus + bus, "Gain"), &bus_gain);
    if (bus_muted == 0 && bus_gain > kSilentDb) hearing->buses.push_back(name);
  }
  if (!hearing->buses.empty()) return;
  hearing->mixer_problem = switched
                               ? "every B bus of the strip is muted or turned down in VoiceMeeter"
                               : "the strip is not assigned to a B bus in VoiceMeeter";
}

}  // namespace patchcord
