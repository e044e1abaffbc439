// Promises the compiler that nothing else points to the same floats, so that it can make loops into
// vectors.
#pragma once

#if defined(_MSC_VER)
#define UNALIASED __restrict
#else
#define UNALIASED __restrict__
#endif
