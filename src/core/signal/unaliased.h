// A promise to the compiler that nothing else points to the same floats: it makes loops vectors.
#pragma once

#if defined(_MSC_VER)
#define UNALIASED __restrict
#else
#define UNALIASED __restrict__
#endif
