// Package convert turns one job into images that boot on KVM: it plans, then runs five stages in order.
//
//	Gather --> Facts --> NewPlan (pure) --> load > inspect > fix > convert > validate --> Report
//
// The package knows no queue and no daemon: what it needs from them, space and a place to publish, comes in as a Host, and
// what it tells while it works goes out as Events.
package convert
