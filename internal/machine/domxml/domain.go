package domxml

import "encoding/xml"

// The elements of a domain (https://libvirt.org/formatdomain.html), as far as they are written here.
type domainXML struct {
	XMLName  xml.Name    `xml:"domain"`
	Type     string      `xml:"type,attr"`
	Comment  string      `xml:",comment"`
	Name     string      `xml:"name"`
	UUID     string      `xml:"uuid,omitempty"`
	Memory   memoryXML   `xml:"memory"`
	VCPU     int         `xml:"vcpu"`
	OS       osXML       `xml:"os"`
	Features featuresXML `xml:"features"`
	CPU      cpuXML      `xml:"cpu"`
	Clock    clockXML    `xml:"clock"`
	Devices  devicesXML  `xml:"devices"`
}

type memoryXML struct {
	Unit string `xml:"unit,attr"`
	MiB  int64  `xml:",chardata"`
}

type osXML struct {
	Firmware string      `xml:"firmware,attr,omitempty"`
	Type     osTypeXML   `xml:"type"`
	Features *osFirmware `xml:"firmware"`
	Loader   *loaderXML  `xml:"loader"`
}

type osTypeXML struct {
	Arch    string `xml:"arch,attr"`
	Machine string `xml:"machine,attr"`
	Value   string `xml:",chardata"`
}

type osFirmware struct {
	Features []firmwareFeature `xml:"feature"`
}

type firmwareFeature struct {
	Enabled string `xml:"enabled,attr"`
	Name    string `xml:"name,attr"`
}

type loaderXML struct {
	Secure string `xml:"secure,attr"`
}

type featuresXML struct {
	ACPI   struct{}   `xml:"acpi"`
	APIC   struct{}   `xml:"apic"`
	HyperV *hyperVXML `xml:"hyperv"`
	SMM    *stateXML  `xml:"smm"`
}

type hyperVXML struct {
	Mode      string   `xml:"mode,attr"`
	Relaxed   stateXML `xml:"relaxed"`
	VAPIC     stateXML `xml:"vapic"`
	Spinlocks stateXML `xml:"spinlocks"`
}

type stateXML struct {
	State   string `xml:"state,attr"`
	Retries int    `xml:"retries,attr,omitempty"`
}

type cpuXML struct {
	Mode     string       `xml:"mode,attr"`
	Topology *topologyXML `xml:"topology"`
}

type topologyXML struct {
	Sockets int `xml:"sockets,attr"`
	Cores   int `xml:"cores,attr"`
	Threads int `xml:"threads,attr"`
}

type clockXML struct {
	Offset string     `xml:"offset,attr"`
	Timers []timerXML `xml:"timer"`
}

type timerXML struct {
	Name       string `xml:"name,attr"`
	TickPolicy string `xml:"tickpolicy,attr,omitempty"`
	Present    string `xml:"present,attr,omitempty"`
}

type devicesXML struct {
	Disks       []diskXML       `xml:"disk"`
	Controllers []controllerXML `xml:"controller"`
	Interfaces  []interfaceXML  `xml:"interface"`
	Serial      ptyXML          `xml:"serial"`
	Console     ptyXML          `xml:"console"`
	Channel     channelXML      `xml:"channel"`
	Input       inputXML        `xml:"input"`
	Graphics    graphicsXML     `xml:"graphics"`
	Video       videoXML        `xml:"video"`
	Balloon     balloonXML      `xml:"memballoon"`
	RNG         rngXML          `xml:"rng"`
}

type diskXML struct {
	Type   string      `xml:"type,attr"`
	Device string      `xml:"device,attr"`
	Driver driverXML   `xml:"driver"`
	Source fileXML     `xml:"source"`
	Target targetXML   `xml:"target"`
	Boot   *bootXML    `xml:"boot"`
	Place  *addressXML `xml:"address"`
}

type driverXML struct {
	Name    string `xml:"name,attr"`
	Type    string `xml:"type,attr"`
	Discard string `xml:"discard,attr,omitempty"`
}

type fileXML struct {
	File string `xml:"file,attr"`
}

type targetXML struct {
	Dev string `xml:"dev,attr"`
	Bus string `xml:"bus,attr"`
}

type bootXML struct {
	Order int `xml:"order,attr"`
}

type addressXML struct {
	Type       string `xml:"type,attr"`
	Controller int    `xml:"controller,attr"`
	Bus        int    `xml:"bus,attr"`
	Target     int    `xml:"target,attr"`
	Unit       int    `xml:"unit,attr"`
}

type controllerXML struct {
	Type  string `xml:"type,attr"`
	Index int    `xml:"index,attr"`
	Model string `xml:"model,attr,omitempty"`
}

type interfaceXML struct {
	Type   string           `xml:"type,attr"`
	MAC    *macXML          `xml:"mac"`
	Source interfaceFromXML `xml:"source"`
	Model  modelXML         `xml:"model"`
}

type macXML struct {
	Address string `xml:"address,attr"`
}

type interfaceFromXML struct {
	Network string `xml:"network,attr,omitempty"`
	Bridge  string `xml:"bridge,attr,omitempty"`
}

type modelXML struct {
	Type string `xml:"type,attr"`
}

type ptyXML struct {
	Type string `xml:"type,attr"`
}

type channelXML struct {
	Type   string           `xml:"type,attr"`
	Target channelTargetXML `xml:"target"`
}

type channelTargetXML struct {
	Type string `xml:"type,attr"`
	Name string `xml:"name,attr"`
}

type inputXML struct {
	Type string `xml:"type,attr"`
	Bus  string `xml:"bus,attr"`
}

type graphicsXML struct {
	Type     string `xml:"type,attr"`
	Port     int    `xml:"port,attr"`
	AutoPort string `xml:"autoport,attr"`
	Listen   string `xml:"listen,attr"`
}

type videoXML struct {
	Model modelXML `xml:"model"`
}

type balloonXML struct {
	Model string `xml:"model,attr"`
}

type rngXML struct {
	Model   string     `xml:"model,attr"`
	Backend backendXML `xml:"backend"`
}

type backendXML struct {
	Model string `xml:"model,attr"`
	File  string `xml:",chardata"`
}
