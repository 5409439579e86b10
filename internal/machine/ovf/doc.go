// Package ovf reads OVF descriptors (DMTF DSP0243 1.x and 2.x, and VMware's 0.9 draft) and the checksum manifests beside them.
//
// Descriptors in the field follow the schema loosely: prefixes are missing or odd, sections come in any order. Elements and
// attributes are therefore matched by local name, and what a disk needs must be right while the rest may be strange. A
// descriptor is hostile input: it has no DTD, no entities of its own, bounded size and depth, and names nothing outside.
package ovf
