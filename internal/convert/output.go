package convert

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"hyper2kvm/internal/manifest"
)

// reportName is the file name of the report, in the output directory.
const reportName = "report.json"

// maxOutputName is the longest file name of an output, in bytes: NAME_MAX less what -disk<n> and a temporary name may add.
const maxOutputName = 200

// domainName returns the file name of the domain XML.
func domainName(vm string) string { return vm + ".xml" }

// outputName returns the file name of the disk with that index: <name>.<format>, <name>-disk2.<format> and so on, or the same
// around the name that the job asks for.
func outputName(job manifest.Job, index int) (string, error) {
	name := job.Name + "." + job.Convert.Format
	if job.Convert.OutputName != "" {
		name = job.Convert.OutputName
	}
	if index > 0 {
		ext := filepath.Ext(name)
		name = fmt.Sprintf("%s-disk%d%s", strings.TrimSuffix(name, ext), index+1, ext)
	}
	if why := badFileName(name); why != "" {
		return "", coded(manifest.CodePolicyName, "choose a plain file name", fmt.Errorf("output name %q %s", name, why))
	}
	if name == reportName || name == domainName(job.Name) {
		return "", coded(manifest.CodePolicyName, "choose another name", fmt.Errorf("output name %q is taken by a file of the result itself", name))
	}
	return name, nil
}

// badFileName says why a name is not a plain file name; "" when it is one.
func badFileName(name string) string {
	switch {
	case name == "" || name == "." || name == "..":
		return "is not a file name"
	case strings.ContainsAny(name, `/\`):
		return "leads into another directory"
	case strings.HasPrefix(name, "."):
		return "begins with a dot"
	case len(name) > maxOutputName:
		return fmt.Sprintf("is longer than %d bytes", maxOutputName)
	case !utf8.ValidString(name) || oneLine(name) != name:
		return "holds characters that cannot be printed"
	}
	return ""
}
