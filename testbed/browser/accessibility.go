package browser

import (
	"context"
	"encoding/json"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

// Heard is a thing on a page as programs for blind people get it from the browser, such as screen readers.
type Heard struct {
	// Role is what it is to them: "link", "heading", "StaticText". Name is what they say.
	Role, Name string
	// Level is that of a heading, 0 of other things.
	Level int
	// Live is how changes in it are told: "polite", "assertive", or "" for not at all.
	Live string
}

// Accessible returns all that there is on the page to such programs, in the order in which they read it. Things without a role, and those
// that are only for the layout, are left out.
func (t *Tab) Accessible(ctx context.Context) (all []Heard, err error) {
	err = t.run(ctx, func(ctx context.Context) error {
		tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		nodes := make(map[accessibility.NodeID]*accessibility.Node, len(tree.Nodes))
		for _, node := range tree.Nodes {
			nodes[node.NodeID] = node
		}
		if len(tree.Nodes) > 0 {
			all = read(nodes, tree.Nodes[0])
		}
		return nil
	})
	return all, t.explain("read the page aloud", err)
}

// read goes through a tree from its root.
func read(nodes map[accessibility.NodeID]*accessibility.Node, node *accessibility.Node) (all []Heard) {
	if !node.Ignored {
		one := Heard{}
		take(node.Role, &one.Role)
		take(node.Name, &one.Name)
		for _, property := range node.Properties {
			switch property.Name {
			case accessibility.PropertyNameLevel:
				take(property.Value, &one.Level)
			case accessibility.PropertyNameLive:
				take(property.Value, &one.Live)
			}
		}
		all = append(all, one)
	}
	for _, id := range node.ChildIDs {
		if child := nodes[id]; child != nil {
			all = append(all, read(nodes, child)...)
		}
	}
	return all
}

// take leaves the target as it is if there is no value, or one of another type.
func take(value *accessibility.Value, target any) {
	if value != nil {
		_ = json.Unmarshal([]byte(value.Value), target)
	}
}
