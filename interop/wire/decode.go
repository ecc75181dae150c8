package wire

import (
	"encoding/binary"
	"fmt"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/binary/token"
)

// minNodeSize is a node's smallest coded form: two bytes of list header and one of tag.
const minNodeSize = 3

// DecodeStanza decodes a flag byte and a coded node, within the limits of this package. The node shares no memory with
// data. Every error is an [ErrMalformed] or [ErrTooLarge].
//
// Content is nil, []byte, string, types.JID or []waBinary.Node; attributes are string or types.JID. Unlike whatsmeow's
// decoder it refuses what cannot be right: attributes that are lists or that come twice, JIDs whose user could not be
// told apart in text form, packed text with padding inside. Attributes without a value are left out.
func DecodeStanza(data []byte) (*waBinary.Node, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: empty frame", ErrMalformed)
	}
	flags, data := data[0], data[1:]
	if flags&flagDeflate != 0 {
		holder := getBuffer()
		inflated, err := inflate((*holder)[:0], data, MaxStanza)
		defer func() { putBuffer(holder, inflated) }()
		if err != nil {
			return nil, err
		}
		data = inflated
	}
	if len(data) > MaxStanza {
		return nil, fmt.Errorf("%w: stanza of %d bytes, limit %d", ErrTooLarge, len(data), MaxStanza)
	}
	d := decoder{data: data}
	node := &waBinary.Node{}
	if err := d.node(node, 1); err != nil {
		return nil, err
	} else if len(d.data) != d.at {
		return nil, d.malformed("bytes after the end")
	}
	return node, nil
}

// decoder reads one stanza. It never allocates more than a small multiple of the bytes that are really there.
type decoder struct {
	data  []byte
	at    int
	nodes int
}

func (d *decoder) malformed(what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrMalformed, what, d.at)
}

func (d *decoder) take(n int) ([]byte, error) {
	if n > len(d.data)-d.at {
		return nil, d.malformed("cut short")
	}
	taken := d.data[d.at : d.at+n]
	d.at += n
	return taken, nil
}

func (d *decoder) byte() (byte, error) {
	taken, err := d.take(1)
	if err != nil {
		return 0, err
	}
	return taken[0], nil
}

func (d *decoder) uint16() (uint16, error) {
	taken, err := d.take(2)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(taken), nil
}

// node reads a node into node. depth is its level.
func (d *decoder) node(node *waBinary.Node, depth int) error {
	if d.nodes++; d.nodes > MaxNodes {
		return fmt.Errorf("%w: more than %d nodes", ErrTooLarge, MaxNodes)
	} else if depth > MaxDepth {
		return fmt.Errorf("%w: more than %d levels", ErrTooLarge, MaxDepth)
	}
	kind, err := d.byte()
	if err != nil {
		return err
	}
	size, err := d.listSize(kind)
	if err != nil {
		return err
	} else if size == 0 {
		return d.malformed("empty node")
	}
	tag, err := d.text()
	if err != nil {
		return err
	} else if tag == "" {
		return d.malformed("node without a tag")
	}
	node.Tag = tag
	if node.Attrs, err = d.attrs((size - 1) / 2); err != nil {
		return err
	}
	if size%2 == 0 {
		node.Content, err = d.content(depth)
	}
	return err
}

func (d *decoder) listSize(kind byte) (int, error) {
	switch kind {
	case token.ListEmpty:
		return 0, nil
	case token.List8:
		size, err := d.byte()
		return int(size), err
	case token.List16:
		size, err := d.uint16()
		return int(size), err
	default:
		return 0, d.malformed("not a list")
	}
}

func (d *decoder) attrs(count int) (waBinary.Attrs, error) {
	if count == 0 {
		return nil, nil
	} else if count > MaxAttrs {
		return nil, fmt.Errorf("%w: %d attributes in a node", ErrTooLarge, count)
	} else if 2*count > len(d.data)-d.at {
		return nil, d.malformed("cut short")
	}
	attrs := make(waBinary.Attrs, count)
	for range count {
		key, err := d.text()
		if err != nil {
			return nil, err
		}
		value, err := d.scalar()
		if err != nil {
			return nil, err
		}
		if _, twice := attrs[key]; twice || key == "" {
			return nil, d.malformed("attribute named twice or not at all")
		}
		switch typed := value.(type) {
		case nil:
		case []byte:
			attrs[key] = string(typed)
		default:
			attrs[key] = typed
		}
	}
	return attrs, nil
}

func (d *decoder) content(depth int) (any, error) {
	if d.at < len(d.data) {
		if kind := d.data[d.at]; kind == token.List8 || kind == token.List16 {
			d.at++
			return d.children(kind, depth)
		}
	}
	value, err := d.scalar()
	if raw, ok := value.([]byte); ok {
		return append(make([]byte, 0, len(raw)), raw...), err
	}
	return value, err
}

func (d *decoder) children(kind byte, depth int) ([]waBinary.Node, error) {
	size, err := d.listSize(kind)
	if err != nil {
		return nil, err
	} else if size > MaxChildren {
		return nil, fmt.Errorf("%w: %d children of a node", ErrTooLarge, size)
	} else if minNodeSize*size > len(d.data)-d.at {
		return nil, d.malformed("cut short")
	}
	children := make([]waBinary.Node, size)
	for i := range children {
		if err = d.node(&children[i], depth+1); err != nil {
			return nil, err
		}
	}
	return children, nil
}

// scalar reads a value that is not a list: a types.JID, or what word reads.
func (d *decoder) scalar() (any, error) {
	if d.at < len(d.data) {
		switch kind := d.data[d.at]; kind {
		case token.JIDPair, token.ADJID, token.FBJID, token.InteropJID:
			d.at++
			return d.jid(kind)
		}
	}
	return d.word()
}

// text reads a value that must be text; no value at all is "". It does not enter JIDs, which have text inside: else
// nested ones could use up the stack.
func (d *decoder) text() (string, error) {
	value, err := d.word()
	switch typed := value.(type) {
	case string:
		return typed, err
	case []byte:
		return string(typed), err
	default:
		return "", err
	}
}

// words are the one-byte tokens as interface values, made once because most of a stanza consists of them.
var words = func() (words [len(token.SingleByteTokens)]any) {
	for i, word := range token.SingleByteTokens {
		words[i] = word
	}
	return words
}()

// word reads a value without structure: nil, string, or []byte that still belongs to the decoder's input.
func (d *decoder) word() (any, error) {
	kind, err := d.byte()
	if err != nil {
		return nil, err
	}
	switch kind {
	case token.ListEmpty:
		return nil, nil
	case token.Binary8:
		return d.binary(1, 0xff)
	case token.Binary20:
		return d.binary(3, 0x0f)
	case token.Binary32:
		return d.binary(4, 0xff)
	case token.Dictionary0, token.Dictionary1, token.Dictionary2, token.Dictionary3:
		index, err := d.byte()
		if err != nil {
			return nil, err
		}
		word, err := token.GetDoubleToken(int(kind)-token.Dictionary0, int(index))
		if err != nil {
			return nil, d.malformed("word not in the dictionary")
		}
		return word, nil
	case token.Nibble8, token.Hex8:
		return d.packed(kind)
	}
	if int(kind) < len(words) {
		return words[kind], nil
	}
	return nil, d.malformed("unknown token")
}

// binary reads a length of some bytes, the first of them masked, and that many bytes.
func (d *decoder) binary(lengthSize int, mask byte) ([]byte, error) {
	raw, err := d.take(lengthSize)
	if err != nil {
		return nil, err
	}
	length := uint32(raw[0] & mask)
	for _, b := range raw[1:] {
		length = length<<8 | uint32(b)
	}
	if length > MaxStanza {
		return nil, d.malformed("cut short")
	}
	return d.take(int(length))
}

const (
	nibbles  = "0123456789-."
	hexChars = "0123456789ABCDEF"
	padding  = 15 // the last half byte of text of odd length
)

// packed reads text of two characters a byte.
func (d *decoder) packed(kind byte) (string, error) {
	header, err := d.byte()
	if err != nil {
		return "", err
	}
	raw, err := d.take(int(header & 0x7f))
	if err != nil {
		return "", err
	}
	length := 2 * len(raw)
	if header&0x80 != 0 {
		if length == 0 || raw[len(raw)-1]&0x0f != padding {
			return "", d.malformed("packed text without its padding")
		}
		length--
	}
	alphabet := nibbles
	if kind == token.Hex8 {
		alphabet = hexChars
	}
	var text strings.Builder
	text.Grow(length)
	for i := range length {
		half := raw[i/2] >> 4
		if i%2 == 1 {
			half = raw[i/2] & 0x0f
		}
		if int(half) >= len(alphabet) {
			return "", d.malformed("unknown packed character")
		}
		text.WriteByte(alphabet[half])
	}
	return text.String(), nil
}
