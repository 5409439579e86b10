package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// enum is a flag that takes one of a few words; anything else is refused with the list.
type enum struct {
	value *string
	words []string
}

func (e enum) String() string {
	if e.value == nil {
		return ""
	}
	return *e.value
}

// Set takes one of the words.
func (e enum) Set(s string) error {
	if !slices.Contains(e.words, s) {
		return fmt.Errorf("must be one of %s", strings.Join(e.words, ", "))
	}
	*e.value = s
	return nil
}

// Type is what help shows for the value.
func (e enum) Type() string { return strings.Join(e.words, "|") }

// timeValue is a flag that takes a length of time.
type timeValue time.Duration

// timeoutFlag adds --timeout, a length of time that is 0 unless it is given.
func timeoutFlag(f *pflag.FlagSet, value *time.Duration, usage string) {
	f.Var((*timeValue)(value), "timeout", usage)
}

func (t *timeValue) String() string {
	if *t == 0 {
		return "0"
	}
	return time.Duration(*t).String()
}

// Set takes a number with its unit.
func (t *timeValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return errors.New("want a number and its unit, as 30s, 10m or 2h")
	}
	*t = timeValue(d)
	return nil
}

// Type is what help shows for the value.
func (*timeValue) Type() string { return "time" }
