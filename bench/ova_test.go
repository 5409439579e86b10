package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ovaText describes one disk, stream.vmdk.
const ovaText = `<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
  <References><File ovf:href="stream.vmdk" ovf:id="f1"/></References>
  <DiskSection><Info>disks</Info><Disk ovf:capacity="2" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="d1" ovf:fileRef="f1"/></DiskSection>
  <VirtualSystem ovf:id="vm"><Info>a VM</Info><VirtualHardwareSection><Info>hardware</Info>
    <Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceType>6</rasd:ResourceType><rasd:ResourceSubType>lsilogic</rasd:ResourceSubType></Item>
    <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/d1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
  </VirtualHardwareSection></VirtualSystem>
</Envelope>
`

// BenchmarkMatrixOVA converts the disk in an OVA to qcow2, against tar x and qemu-img convert.
func BenchmarkMatrixOVA(b *testing.B) {
	qemu, err := exec.LookPath("qemu-img")
	if err != nil {
		b.Skip("SKIPPED: qemu-img is not installed: make test installs it")
	}
	hyperctl := filepath.Join(programs(b), "hyperctl")
	dir := b.TempDir()
	raw, appliance := filepath.Join(dir, "disk.raw"), filepath.Join(dir, "vm.ova")
	usrDisk(b, raw, 2<<30, 700<<20)
	timed(b, hyperctl, "-q", "image", "convert", raw, filepath.Join(dir, "stream.vmdk"), "--output-format", "vmdk")
	if err := os.WriteFile(filepath.Join(dir, "vm.ovf"), []byte(ovaText), 0o600); err != nil {
		b.Fatal(err)
	}
	timed(b, "tar", "-C", dir, "-cf", appliance, "vm.ovf", "stream.vmdk")
	o, q, unpacked := filepath.Join(dir, "ours.qcow2"), filepath.Join(dir, "theirs.qcow2"), filepath.Join(dir, "unpacked")
	for range b.N {
		ratio, ourRuns, theirRuns := pairs(
			func() run {
				os.Remove(o)
				return timed(b, hyperctl, "-q", "image", "convert", appliance, o)
			},
			func() run {
				os.Remove(q)
				os.RemoveAll(unpacked)
				return timed(b, "sh", "-c", `mkdir "$1" && tar -C "$1" -xf "$2" && "$3" convert -f vmdk -O qcow2 "$1/stream.vmdk" "$4" && exec sync "$4"`,
					"unpack", unpacked, appliance, qemu, q)
			})
		row(b, "%5.2f x tar x and qemu-img (%.2f s against %.2f s), peak %d MB", ratio, wall(ourRuns), wall(theirRuns), peak(ourRuns)>>20)
		b.ReportMetric(ratio, "times")
		b.ReportMetric(float64(peak(ourRuns)>>20), "peak-MB")
	}
}

// BenchmarkMatrixCores converts on one core and on two. It says nothing on a machine that does other things.
func BenchmarkMatrixCores(b *testing.B) {
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		b.Skip("SKIPPED: taskset is not installed")
	}
	hyperctl := filepath.Join(programs(b), "hyperctl")
	dir := b.TempDir()
	raw, stream, dst := filepath.Join(dir, "disk.raw"), filepath.Join(dir, "stream.vmdk"), filepath.Join(dir, "out.qcow2")
	usrDisk(b, raw, 2<<30, 700<<20)
	timed(b, hyperctl, "-q", "image", "convert", raw, stream)
	for _, c := range []struct{ name, src, compression string }{
		{"raw-to-zlib", raw, "zlib"}, {"raw-to-zstd", raw, "zstd"}, {"streamOptimized-to-zlib", stream, "zlib"},
	} {
		b.Run(c.name, func(b *testing.B) {
			on := func(cores string) func() run {
				return func() run {
					os.Remove(dst)
					return timed(b, taskset, "-c", cores, hyperctl, "-q", "image", "convert", c.src, dst, "--compression", c.compression)
				}
			}
			for range b.N {
				ratio, two, one := pairs(on("0,1"), on("0"))
				row(b, "%5.2f x on two cores (%.2f s against %.2f s)", ratio, wall(two), wall(one))
				b.ReportMetric(ratio, "times")
			}
		})
	}
}
