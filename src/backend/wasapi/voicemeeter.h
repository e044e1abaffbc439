// Reads where VoiceMeeter, a mixer whose strips and buses are endpoints, sends the sound of a
// strip.
#pragma once

#include <string>

#include "../backend.h"
#include "windows_sdk.h"

namespace patchcord {

// Its Remote DLL, if it is installed. All calls come from one thread, as the DLL demands; the
// destructor logs out.
class Voicemeeter {
 public:
  Voicemeeter() = default;
  ~Voicemeeter();
  Voicemeeter(const Voicemeeter&) = delete;
  Voicemeeter& operator=(const Voicemeeter&) = delete;

  // `strip`: "Virtual 1", "Hardware 3", as recognise_cables() names it. Sets `mixer_known`, `buses`
  // and `mixer_problem`; leaves them unchanged if the DLL is not available.
  void read(const std::string& strip, Hearing* hearing);

 private:
  bool load();
  bool log_in();
  bool number(const std::string& parameter, float* value) const;

  template <class Function>
  bool find(const char* name, Function* function) const {
    *function = reinterpret_cast<Function>(reinterpret_cast<void*>(GetProcAddress(library_, name)));
    return *function != nullptr;
  }

  HMODULE library_ = nullptr;
  bool tried_ = false;
  bool logged_in_ = false;
  long(__stdcall* login_)() = nullptr;
  long(__stdcall* logout_)() = nullptr;
  long(__stdcall* type_)(long* type) = nullptr;
  long(__stdcall* are_parameters_dirty_)() = nullptr;
  long(__stdcall* parameter_)(char* name, float* value) = nullptr;
};

}  // namespace patchcord
