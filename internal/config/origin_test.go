package config

import (
	"errors"
	"testing"
)

func TestSettingsSayWhereTheyComeFrom(t *testing.T) {
	all, err := Settings("c.yaml", []byte("# a comment\nmode: manifest\nworkflow:\n  max_workers: 7\noperators: [alice, bob]\nnetwork_map:\n  VM Network: bridge:br0\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Setting{}
	for _, s := range all {
		if s.Text == "" || got[s.Key].Key != "" {
			t.Errorf("%+v", s)
		}
		got[s.Key] = s
	}
	for key, want := range map[string]Setting{
		"mode":                {Value: "manifest", Line: 2},
		"max_concurrent_jobs": {Value: "7", Line: 4},
		"operators":           {Value: "alice, bob", Line: 5},
		"network_map":         {Value: "VM Network: bridge:br0", Line: 6},
		"workflow_dir":        {Value: DefaultManifestWorkflowDir},
		"settle":              {Value: "2s"},
		"log_file":            {},
	} {
		if s := got[key]; s.Value != want.Value || s.Line != want.Line {
			t.Errorf("%s: %+v, want %+v", key, s, want)
		}
	}
	if all, err := Settings("c.yaml", nil); err != nil || len(all) != len(got) {
		t.Error(len(all), err)
	}
	if _, err := Settings("c.yaml", []byte("mode: nosuch\n")); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}
