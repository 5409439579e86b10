package strictyaml

import "slices"

// Type is what a key may hold.
type Type string

// The types of values.
const (
	TypeBool     Type = "true or false"
	TypeText     Type = "text"
	TypeWord     Type = "word"                    // one of Field.Values
	TypeInt      Type = "whole number"            // Field.Min to Field.Max
	TypeTime     Type = "time"                    // RFC 3339
	TypeDuration Type = "duration"                // "90s", "30m", "24h" or a number of seconds; see Node.Duration
	TypeVersion  Type = "version"                 // "1.0", with quotes or without
	TypeTexts    Type = "text or list of texts"   // Field.Max items at most, at least one
	TypeList     Type = "list"                    // of mappings with the Shape Field.Of; Field.Min to Field.Max items
	TypeTextList Type = "list of texts"           // Field.Max items at most
	TypeMap      Type = "mapping"                 // with the Shape Field.Of
	TypeLabels   Type = "mapping of text to text" // numbers and booleans are taken as texts; Field.Max entries at most
	TypeAny      Type = "anything"
)

// Field is one key of a mapping.
type Field struct {
	Key      string
	Type     Type
	Required bool
	Values   []string // of a TypeWord
	Min, Max int64    // of numbers and of the count of items
	Of       *Shape   // of TypeMap and TypeList
	Default  string   // what holds where the key is absent, for people
	Text     string   // one sentence for people: what the key is for
}

// Shape is the table of keys that a mapping may have. Keys that begin with x- are allowed everywhere and mean nothing.
type Shape struct {
	Fields []Field
	// Instead holds keys that people know from elsewhere, and what to do here.
	Instead map[string]string
}

// Field returns the field with the key, nil if there is none.
func (s *Shape) Field(key string) *Field {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Key == key })
	if i < 0 {
		return nil
	}
	return &s.Fields[i]
}

// Keys returns the keys in the order of the table.
func (s *Shape) Keys() []string {
	keys := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		keys[i] = f.Key
	}
	return keys
}

// Walk calls visit for every field, those of inner mappings after the one that holds them, with dotted paths in which a list
// is marked by []: vms[].pipeline.load. Shapes do not hold themselves, so it ends.
func (s *Shape) Walk(visit func(path string, f *Field)) { s.walk("", visit) }

func (s *Shape) walk(prefix string, visit func(string, *Field)) {
	for i := range s.Fields {
		f := &s.Fields[i]
		path := prefix + f.Key
		visit(path, f)
		if f.Of != nil && f.Type == TypeList {
			f.Of.walk(path+"[].", visit)
		} else if f.Of != nil {
			f.Of.walk(path+".", visit)
		}
	}
}

// place returns the path of the only field below that has the key, "" if there is none or several.
func (s *Shape) place(key string) string {
	place, count := "", 0
	s.Walk(func(path string, f *Field) {
		if f.Key == key {
			place, count = path, count+1
		}
	})
	if count != 1 {
		return ""
	}
	return place
}
