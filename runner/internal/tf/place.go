package tf

import (
	"fmt"
	"strings"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// PlaceGraph writes a device into every operation of a graph, those in functions included, except
// operations that the model puts on the CPU. TensorFlow numbers GPUs once in a process, and
// sessions cannot be given different ones. So each session sees all GPUs, and its graph says which
// one it uses. An operation that the device does not support runs on the CPU, which the session's
// configuration allows (allow_soft_placement).
func PlaceGraph(g *graphpb.GraphDef, device string) {
	placeNodes(g.GetNode(), device)
	for _, f := range g.GetLibrary().GetFunction() {
		placeNodes(f.GetNodeDef(), device)
	}
}

func placeNodes(nodes []*nodepb.NodeDef, device string) {
	for _, n := range nodes {
		if !strings.Contains(strings.ToUpper(n.GetDevice()), "CPU:") {
			n.Device = device
		}
	}
}

// Places lists the devices for which a model is loaded, as a graph names them; nil: TensorFlow
// decides. Devices are numbered as TensorFlow numbers those that [Config.Device] has picked.
func Places(c Config) ([]string, error) {
	d, err := parseDevice(c.Device)
	if err != nil {
		return nil, err
	}
	kind, count := "CPU", int(c.CPUs)
	if d.kind == "gpu" {
		gpus, err := findGPUs(c)
		if err != nil {
			return nil, err
		}
		kind, count = "GPU", len(gpus)
	}
	if count < 2 {
		return nil, nil
	}
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf("/device:%s:%d", kind, i)
	}
	return list, nil
}
