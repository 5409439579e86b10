package linux

import "testing"

func TestFilterTakesVirtioDisks(t *testing.T) {
	for _, tt := range []struct {
		conf string
		warn bool
	}{
		{`filter = [ "a/.*/" ]`, false},
		{`filter = [ "a|^/dev/sda|", "r|.*|" ]`, true},
		{`filter = [ "a/sda[1-9]$/", "r/.*/" ]`, true},
		{`filter=["a|/dev/mapper/mpath.*|","r|.*|"]`, true},
		{"filter = [ \"a|/dev/sda2|\",\n\t# all others\n\t\"r|.*|\" ]", true},
		{`filter = "r|.*|"`, true},
		{`filter = [ "r|/dev/sdb|", "r|/dev/cdrom|", "a|.*|" ]`, false},
		{`filter = [ "r|/dev/sdb|" ]`, false},
		{`filter = [ "a|^/dev/sd|", "a|^/dev/vd|", "r|.*|" ]`, false},
		{`filter = [ "a|/dev/[sv]d.*|", "r|.*|" ]`, false},
		{`filter = [ "r|/dev/.*/by-path/.*|", "r|/dev/.*/by-id/.*|", "r|/dev/fd.*|", "a/.*/" ]`, false}, // as SLES 11 has it
		{`filter = [ "r/block/", "r/disk/", "r/sd.*/", "a/.*/" ]`, false},
		{`global_filter = [ "a{/dev/sd}", "r{.*}" ]`, true},
		{`# filter = [ "a|/dev/sda|", "r|.*|" ]`, false},
		{`filter = [ "a|(|", "r|.*|" ]`, true}, // what is no expression takes nothing
		{`filter = [ "", "a", "x|.*|" ]`, false},
		{`filter`, false},
		{`filter = [ "r|.*|`, false},
		{`use_lvmetad = 0`, false},
	} {
		if got := len(refusedByFilters(tt.conf)) > 0; got != tt.warn {
			t.Errorf("%s: warning is %v", tt.conf, got)
		}
	}
}
