// Stands for VoiceMeeter's Remote DLL in tests; it is not VoiceMeeter, and nothing of it is
// VoiceMeeter's code. Its values are the lines of the file that PATCHCORD_VOICEMEETER names, read
// at each poll: "type 2", "Strip[3].B1 1". Without a file it says, as the real one does, that no
// mixer runs.
#include <windows.h>

#include <cstdio>
#include <map>
#include <string>

namespace {

std::map<std::string, float> values;
int polls = 0;
bool logged_in = false;

void read_values() {
  values.clear();
  char path[MAX_PATH] = {};  // getenv() would not see what the program set itself
  GetEnvironmentVariableA("PATCHCORD_VOICEMEETER", path, MAX_PATH);
  std::FILE* const file = std::fopen(path, "r");
  if (file == nullptr) return;
  char name[64];
  float value;
  while (std::fscanf(file, "%63s %f", name, &value) == 2) values[name] = value;
  std::fclose(file);
}

}  // namespace

extern "C" {

__declspec(dllexport) long __stdcall VBVMR_Login() {
  logged_in = true;
  polls = 0;
  read_values();
  return values.count("type") != 0 ? 0 : 1;
}

__declspec(dllexport) long __stdcall VBVMR_Logout() {
  logged_in = false;
  return 0;
}

// The first polls after a login bring nothing, as with the real one.
__declspec(dllexport) long __stdcall VBVMR_IsParametersDirty() {
  if (!logged_in) return -2;
  if (++polls < 3) return 0;
  read_values();
  return 1;
}

__declspec(dllexport) long __stdcall VBVMR_GetVoicemeeterType(long* type) {
  if (!logged_in || values.count("type") == 0) return -2;
  *type = static_cast<long>(values["type"]);
  return 0;
}

__declspec(dllexport) long __stdcall VBVMR_GetParameterFloat(char* name, float* value) {
  if (!logged_in || polls < 3) return -2;
  *value = values.count(name) != 0 ? values[name] : 0.0f;
  return 0;
}

}  // extern "C"
