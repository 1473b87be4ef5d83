package tf

// DeviceTest is what the self-test found on one device.
type DeviceTest struct {
	Device Device
	// MaxError is the largest relative difference between the device's numbers and Go's own in the
	// test's matrix product.
	MaxError float64
	Err      error // why the test failed, or nil
}
