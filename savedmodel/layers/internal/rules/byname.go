package rules

import "github.com/tfrun/tfrun/tensor"

// operationShapes is the rule of a function of TensorFlow ("math.add") or an operation of Keras 3
// ("Add"), called with the tensors in and with the arguments that the config carries.
func operationShapes(function string, c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	name := OperationName(function)
	rule := Operations[name]
	own := keras2Operations[name]
	if c.v3() {
		own = keras3Operations[name]
	}
	if own != nil {
		rule = own
	}
	if rule == nil || !in[0].Ranked() {
		return nil, false
	}
	return rule(c, in)
}

// IsOperation reports whether a class name is that of an operation of Keras 3 that has a rule.
func IsOperation(class string) bool {
	name := OperationName(class)
	return Operations[name] != nil || keras3Operations[name] != nil
}
