package linux

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"hyper2kvm/internal/guest"
)

// netplanNet is Ubuntu's YAML, see the netplan reference. Files are edited as text at the places that the parser tells, so that not a
// byte changes beside the values.
type netplanNet struct{}

func (netplanNet) name() string { return "netplan" }

func (netplanNet) files(ctx context.Context, tree guest.FS) ([]string, error) {
	return netFiles(ctx, tree, "/etc/netplan", func(n string) bool { return path.Ext(n) == ".yaml" && !strings.HasPrefix(n, ".") })
}

// netplanCard is one entry of ethernets with the nodes that may be edited.
type netplanCard struct {
	netEntry
	id             *yaml.Node
	body           *yaml.Node // its mapping, or null
	match          *yaml.Node // nil = matched by its id
	macKey, macVal *yaml.Node
	drivers        []*yaml.Node
}

var errNetplan = errors.New("it is no valid netplan YAML")

// readNetplan returns the cards, and everything as entries.
func readNetplan(text []byte) (cards []netplanCard, entries []netEntry, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNetplan, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil, nil
	}
	_, network := yamlKey(doc.Content[0], "network")
	if network == nil || network.Kind != yaml.MappingNode {
		return nil, nil, fmt.Errorf("%w: there is no mapping \"network\"", errNetplan)
	}
	_, ethernets := yamlKey(network, "ethernets")
	nameOf := map[string]string{}
	eachYAMLPair(ethernets, func(id, body *yaml.Node) {
		c := readNetplanCard(id, body)
		cards = append(cards, c)
		nameOf[id.Value] = c.Name
	})
	taken := map[string]bool{}
	take := func(e *netEntry, id string) {
		taken[id] = true
		name, defined := nameOf[id]
		if !defined {
			name = id
		}
		if cardName(name) {
			e.members = append(e.members, name)
		}
	}
	for i := 0; i+1 < len(network.Content); i += 2 {
		kind := network.Content[i].Value
		if kind == "ethernets" || kind == "version" || kind == "renderer" {
			continue
		}
		eachYAMLPair(network.Content[i+1], func(id, body *yaml.Node) {
			e := netEntry{Interface: guest.Interface{Name: id.Value}, virtual: true}
			e.addresses(body)
			_, ports := yamlKey(body, "interfaces")
			for _, p := range yamlItems(ports) {
				take(&e, p.Value)
			}
			if _, link := yamlKey(body, "link"); link != nil {
				take(&e, link.Value)
			}
			entries = append(entries, e)
		})
	}
	for i := range cards {
		cards[i].dhcp = cards[i].dhcp || taken[cards[i].id.Value]
		entries = append(entries, cards[i].netEntry)
	}
	return cards, entries, nil
}

func readNetplanCard(id, body *yaml.Node) netplanCard {
	c := netplanCard{id: id, body: body}
	c.Name = id.Value
	c.addresses(body)
	_, c.match = yamlKey(body, "match")
	if c.match == nil {
		return c
	}
	c.macKey, c.macVal = yamlKey(c.match, "macaddress")
	if c.macVal != nil {
		c.MAC = normalMAC(c.macVal.Value)
	}
	if _, driver := yamlKey(c.match, "driver"); driver != nil {
		c.drivers = yamlItems(driver)
	}
	c.Name = ""
	if _, name := yamlKey(c.match, "name"); name != nil {
		c.Name, c.pattern = name.Value, strings.ContainsAny(name.Value, "*?[")
	}
	if _, set := yamlKey(body, "set-name"); set != nil && set.Value != "" {
		c.Name, c.pattern, c.renames = set.Value, false, true
	}
	return c
}

// addresses takes in where an entry has its addresses from. A stated "no" is an answer too.
func (e *netEntry) addresses(body *yaml.Node) {
	for _, key := range []string{"dhcp4", "dhcp6"} {
		_, v := yamlKey(body, key)
		e.dhcp = e.dhcp || v != nil
	}
	_, list := yamlKey(body, "addresses")
	for _, a := range yamlItems(list) {
		if a.Kind == yaml.MappingNode && len(a.Content) > 0 {
			a = a.Content[0] // an address with options
		}
		e.Static = true
		e.Address = cmp.Or(e.Address, a.Value)
	}
}

// yamlKey looks a key up in a mapping; both are nil where it is not there.
func yamlKey(m *yaml.Node, key string) (k, v *yaml.Node) {
	eachYAMLPair(m, func(a, b *yaml.Node) {
		if a.Value == key {
			k, v = a, b
		}
	})
	return k, v
}

func eachYAMLPair(m *yaml.Node, each func(k, v *yaml.Node)) {
	if m == nil || m.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		each(m.Content[i], m.Content[i+1])
	}
}

// yamlItems returns the items of a sequence, or a scalar as the only one.
func yamlItems(n *yaml.Node) []*yaml.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.SequenceNode:
		return n.Content
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return []*yaml.Node{n}
	}
	return nil
}

func (netplanNet) read(_ string, text []byte) ([]netEntry, error) {
	_, entries, err := readNetplan(text)
	return entries, err
}

func (netplanNet) edit(_ string, text []byte, plan netPlan) ([]byte, []string, error) {
	edited, why, err := editNetplan(text, plan)
	if err != nil || len(why) == 0 {
		return text, nil, err
	}
	// What was written must be read as it was meant: then there is nothing left to do.
	if _, more, err := editNetplan(edited, plan); err != nil || len(more) > 0 {
		return nil, nil, errors.New("its YAML is written in a way that cannot be edited safely")
	}
	return edited, why, nil
}

func editNetplan(text []byte, plan netPlan) (edited []byte, why []string, err error) {
	cards, _, err := readNetplan(text)
	if err != nil {
		return nil, nil, err
	}
	t := yamlText{text: text}
	for _, c := range cards {
		for _, d := range c.drivers {
			if slices.Contains(sourceNICDrivers, d.Value) {
				t.replace(d, virtualNICDrivers[0])
				why = append(why, "it matches the driver of another hypervisor's card")
			}
		}
		fate, with := plan.fate(c.Name, c.MAC)
		if fate != macStays {
			why = append(why, fate.why(c.MAC, with))
		}
		switch {
		case fate == macChanges:
			t.replace(c.macVal, likeMAC(with, c.macVal.Value))
		case fate == macGoes && len(c.match.Content) == 2:
			t.replacePair(c.macKey, c.macVal, `name: "e*"`) // any card: there is one
		case fate == macGoes:
			t.commentPair(c.macKey, c.macVal)
		}
		if plan.wantsDHCP(c.netEntry) {
			t.insert(c.id, c.body, "dhcp4: true")
			why = append(why, "the interface has no address of its own and asks for none")
		}
	}
	edited, err = t.apply()
	return edited, why, err
}
