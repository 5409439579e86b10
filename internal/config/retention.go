package config

import (
	"math"
	"math/bits"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	sy "hyper2kvm/internal/strictyaml"
)

// maxRetained is how many sources may be kept by count: as many jobs as a record of a century has.
const maxRetained = 10_000_000

// maxURL is the longest address that is taken: what servers commonly take.
const maxURL = 2000

// maxEvents is how many events may be listed.
const maxEvents = 3

// webhookEvents are what an address may be told of.
var webhookEvents = []string{"success", "failure", "stall"}

// retention reads what becomes of finished jobs, where the value is no plain word.
func (r *reader) retention(c *Config) {
	if v := r.find("retention_count").Int(); v != nil && *v >= 0 && *v <= maxRetained {
		c.RetentionCount = int(*v)
	}
	if n := r.find("retention_free"); n.Text() != nil {
		size, ok := parseSize(*n.Text())
		if !ok {
			r.faults = append(r.faults, sy.Fault{Reason: sy.Value, Pos: n.Pos, Path: "retention_free",
				Message: "want a size as in 50GiB or 500MiB, or 0, got " + sy.Quote(*n.Text())})
			return
		}
		c.RetentionFree = size
	}
}

// sizeUnits are the units of sizes, in powers of 1024.
var sizeUnits = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}

// parseSize reads a whole number with its unit; the unit of 0 may be left out.
func parseSize(s string) (int64, bool) {
	if s == "0" {
		return 0, true
	}
	digits := strings.TrimLeft(s, "0123456789")
	unit := slices.Index(sizeUnits, strings.TrimSpace(digits))
	n, err := strconv.ParseInt(s[:len(s)-len(digits)], 10, 64)
	if err != nil || unit < 0 || bits.Len64(uint64(n))+10*unit > bits.Len64(math.MaxInt64) {
		return 0, false
	}
	return n << (10 * unit), true
}

func (k *checker) retention(c Config) {
	if c.RetentionCount < 0 || c.RetentionCount > maxRetained {
		k.fault("retention_count", "", "want a whole number from 0 to %d, got %d", maxRetained, c.RetentionCount)
	}
	if c.RetentionFree < 0 {
		k.fault("retention_free", "", "want a size that is not negative, got %d", c.RetentionFree)
	}
}

// webhook checks who hears of jobs that end. What is sent tells of a site's machines, so that it leaves the host encrypted only.
func (k *checker) webhook(c *Config) {
	for _, event := range c.WebhookEvents {
		if !slices.Contains(webhookEvents, event) {
			k.fault("webhook_events", "", "want some of %s, got %s", strings.Join(webhookEvents, ", "), sy.Quote(event))
		}
	}
	if c.WebhookSecretFile != "" {
		c.WebhookSecretFile = k.dir("webhook_secret_file", c.WebhookSecretFile)
	}
	if c.WebhookURL == "" {
		return
	}
	// The address itself may be a secret: no message repeats it.
	u, err := url.Parse(c.WebhookURL)
	switch {
	case len(c.WebhookURL) > maxURL || err != nil || u.Host == "" || u.Hostname() == "":
		k.fault("webhook_url", "", "want an address as in https://example.org/hook")
	case u.User != nil:
		k.fault("webhook_url", "put a secret into webhook_secret_file", "the address has a user or a password in it")
	case u.Fragment != "":
		k.fault("webhook_url", "remove what follows #", "the address has a fragment, which is never sent")
	case u.Scheme == "http" && !thisMachine(u.Hostname()):
		k.fault("webhook_url", "write https://", "http would carry what jobs are about in the clear; it is taken for localhost only")
	case u.Scheme != "https" && u.Scheme != "http":
		k.fault("webhook_url", "", "want https, got %s", sy.Quote(u.Scheme))
	}
}

// thisMachine says whether a host name leads to the machine itself, without asking anybody.
func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
