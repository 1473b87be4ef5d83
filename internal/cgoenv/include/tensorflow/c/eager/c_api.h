// Of the eager API, too, the part that is needed stands there.
#include "tensorflow/c/c_api.h"
