package kerasnames

import (
	"slices"
	"strconv"
)

// Axis returns what dimension i of an input means to the layers of a class: "batch", "time",
// "height". rank is that of the input; channelsFirst says that the layer takes the channels before
// the axes of space.
func Axis(rank, i int, class string, channelsFirst bool) string {
	if i == 0 {
		return "batch"
	}
	sequence := class == "ConvLSTM2D" || class == "TimeDistributed" || class == "ConvLSTM1D" || class == "ConvLSTM3D"
	if sequence && i == 1 {
		return "time"
	}
	names := map[int][]string{
		2: {"", "time"}, 3: {"", "time", "channels"}, 4: {"", "height", "width", "channels"}, 5: {"", "depth", "height", "width", "channels"},
	}[rank]
	if sequence && rank == 5 {
		names = []string{"", "time", "height", "width", "channels"}
	}
	if rank == 5 && i == 1 && class != "" && !slices.Contains(Classes, class) {
		names = nil // time or depth: the layer's own code knows
	}
	if channelsFirst && len(names) > 2 {
		first := 1
		if sequence {
			first = 2
		}
		names = slices.Concat(names[:first], names[len(names)-1:], names[first:len(names)-1])
	}
	if i < len(names) {
		return names[i]
	}
	return "axis" + strconv.Itoa(i)
}
