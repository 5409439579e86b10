package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Normalize rewrites the single-dash spellings -op, -op=status, -file x.json to what pflag reads as long flags, and leaves
// everything else as it is: -o json, -ojson, -qv and -f x mean what POSIX says. It never changes the number of tokens, nor
// any token after "--".
//
// Without it pflag reads -op as -o with the value "p", and cobra then runs whatever word follows as a subcommand.
//
// A token is rewritten when it stands where a flag may stand and is exactly "-" plus the name of a long flag (of two letters
// or more) of the command that the words before it select; what a flag takes as its value is never looked at.
func Normalize(root *cobra.Command, args []string) []string {
	out := append([]string(nil), args...)
	cmd, descend := root, true
	i := 0
	last := len(out)
	if len(out) > 0 && (out[0] == cobra.ShellCompRequestCmd || out[0] == cobra.ShellCompNoDescRequestCmd) {
		i = 1
		last = len(out) - 1 // the word under the cursor stays as it was typed
	}
	value := false // the token is what a flag takes
	for ; i < len(out); i++ {
		tok := out[i]
		switch {
		case tok == "--": // even as a value: nothing after it is ever changed
			return out
		case value:
			value = false
		case len(tok) < 2 || tok[0] != '-':
			if descend {
				cmd, descend = child(cmd, tok)
			}
		case strings.HasPrefix(tok, "--"):
			name, _, inline := strings.Cut(tok[2:], "=")
			value = !inline && takesValue(longFlag(cmd, name))
		default:
			name, _, inline := strings.Cut(tok[1:], "=")
			if f := longFlag(cmd, name); f != nil && len(name) >= 2 {
				if i < last {
					out[i] = "-" + tok
				}
				value = !inline && takesValue(f)
				continue
			}
			value = clusterTakesNext(cmd, tok[1:])
		}
	}
	return out
}

// child returns the subcommand of that name; without one, the words that follow are arguments and select nothing more.
func child(cmd *cobra.Command, name string) (*cobra.Command, bool) {
	for _, c := range cmd.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c, true
		}
	}
	return cmd, false
}

func longFlag(cmd *cobra.Command, name string) *pflag.Flag {
	if name == "" {
		return nil
	}
	cmd.InitDefaultHelpFlag()
	if f := cmd.LocalFlags().Lookup(name); f != nil {
		return f
	}
	return cmd.InheritedFlags().Lookup(name)
}

func shortFlag(cmd *cobra.Command, letter string) *pflag.Flag {
	cmd.InitDefaultHelpFlag()
	if f := cmd.LocalFlags().ShorthandLookup(letter); f != nil {
		return f
	}
	return cmd.InheritedFlags().ShorthandLookup(letter)
}

func takesValue(f *pflag.Flag) bool { return f != nil && f.NoOptDefVal == "" }

// clusterTakesNext tells whether the last letter of a cluster like -qo is a flag that takes the next token as its value.
func clusterTakesNext(cmd *cobra.Command, letters string) bool {
	for i := range len(letters) {
		if letters[i] >= 0x80 {
			return false
		}
		f := shortFlag(cmd, letters[i:i+1])
		if f == nil {
			return false
		}
		if takesValue(f) {
			return i == len(letters)-1
		}
	}
	return false
}

// misplaced looks for a single-dash long flag that stands before the command it belongs to, and says so; "" if there is
// none. It is asked only when the command line was refused.
func misplaced(root *cobra.Command, args []string) string {
	cmd, descend := root, true
	for i := 0; i < len(args); i++ {
		tok := args[i]
		if tok == "--" {
			return ""
		}
		if len(tok) < 2 || tok[0] != '-' {
			if descend {
				cmd, descend = child(cmd, tok)
			}
			continue
		}
		name, _, _ := strings.Cut(strings.TrimLeft(tok, "-"), "=")
		f := longFlag(cmd, name)
		if f == nil && len(name) >= 2 {
			if owner := owner(cmd, name, args[i+1:]); owner != nil {
				return "give the command first, then its flags: " + owner.CommandPath() + " -" + name + " ..."
			}
		}
		if !strings.Contains(tok, "=") && takesValue(f) {
			i++
		}
	}
	return ""
}

// owner returns the command that a misplaced flag was meant for: the one that the words after it name, if it has such a flag.
func owner(cmd *cobra.Command, name string, rest []string) *cobra.Command {
	meant := cmd
	for _, word := range rest {
		meant, _ = child(meant, word)
	}
	if meant.LocalNonPersistentFlags().Lookup(name) != nil {
		return meant
	}
	return below(cmd, name)
}

// below returns the first command under cmd that has a flag of that name.
func below(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.LocalNonPersistentFlags().Lookup(name) != nil {
			return c
		}
		if b := below(c, name); b != nil {
			return b
		}
	}
	return nil
}
