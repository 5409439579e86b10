package answers_test

import (
	"fmt"
	"testing"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/wizard/answers"
)

// BenchmarkCheckOfAWave is what every change of the largest manifest costs, beside the keys.
func BenchmarkCheckOfAWave(b *testing.B) {
	var f answers.Form
	for i := range manifest.MaxVMs {
		f.VMs = append(f.VMs, answers.VM{"input": fmt.Sprintf("/exports/vm%d.vmdk", i), "output_format": "raw", "vm.cpu": "4x", "tags": "wave=3"})
	}
	for b.Loop() {
		f.Check()
	}
}
