// Package convert turns one job into images that boot on KVM: it plans, then runs five stages in order.
//
//	Request --> Gather --> Facts --> NewPlan (pure) --> load > inspect > fix > convert > validate --> Report
//	                                                     |       |        |       |         |
//	                                                  Sources  Guest   Repairs  Outputs   proof, boot test, domain XML
//
// The source is never written. Everything is built in Request.Partial; nothing is touched outside it. The package knows no
// queue and no daemon: what it needs from them, space and a place to publish, comes in as a Host, and what it tells while it
// works goes out as Events.
package convert
