// The COM objects of this library, counted.
#pragma once

#include <atomic>

#include "../../../src/backend/wasapi/com_object.h"

namespace patchcord {

// 0 once a program has released all that it was given; a script can ask ("objects").
inline std::atomic<int> live_objects{0};

template <class... Interfaces>
class CountedObject : public ComObject<Interfaces...> {
 public:
  CountedObject() { ++live_objects; }

 protected:
  ~CountedObject() override { --live_objects; }
};

// One more reference, for a ComPtr that shares an object.
template <class T>
T* retain(T* object) {
  object->AddRef();
  return object;
}

// Gives a new object away: as `iid`, or not at all.
template <class T>
HRESULT hand_over(T* made, REFIID iid, void** object) {
  const ComPtr<T> owned(made);
  return owned->QueryInterface(iid, object);
}

}  // namespace patchcord
