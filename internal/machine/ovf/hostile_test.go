package ovf

import (
	"fmt"
	"strings"
	"testing"
)

// TestManyElements proves that the time for a descriptor full of references and properties does not grow with their square.
// It is held by the test's own time limit.
func TestManyElements(t *testing.T) {
	var files, disks, properties, drives strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&files, "<File id='%d' href='a'/>", i)
		fmt.Fprintf(&disks, "<Disk diskId='%d' capacity='${k}'/>", i)
		fmt.Fprintf(&properties, "<Property key='%d' value='1'/>", i)
	}
	for i := range 2_000 {
		fmt.Fprintf(&drives, "<Item><InstanceID>%d</InstanceID><ResourceType>17</ResourceType><HostResource>ovf:/disk/%d</HostResource></Item>", i, i)
	}
	in := "<Envelope><References>" + files.String() + "</References><DiskSection>" + disks.String() + "</DiskSection><VirtualSystem id='x'><ProductSection>" +
		properties.String() + "<Property key='k' value='5'/></ProductSection><VirtualHardwareSection>" + drives.String() + "</VirtualHardwareSection></VirtualSystem></Envelope>"
	if _, err := Parse(strings.NewReader(in)); err == nil {
		t.Error("properties beyond the limit were looked at")
	}
}
