// MPI's C interface. The C++ one that mpi.h brings along is obsolete and does not compile without warnings.
#pragma once

#define OMPI_SKIP_MPICXX
#define MPICH_SKIP_MPICXX
#include <mpi.h>
