package hclconfig

import (
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// The methods of this file ask for an attribute of one type. They leave the
// default in dst where the attribute is absent or wrong.

// ask is the value of an attribute; ok is false where it is absent or wrong.
// kind, the default and what is allowed are for the reference.
func (b *block) ask(name, kind string, standard any, allowed string) (a *hclsyntax.Attribute, v cty.Value, ok bool) {
	b.note(name, kind, standard, allowed)
	if a = b.attr(name); a == nil {
		return nil, v, false
	}
	v, ok = b.p.value(a)
	return a, v, ok
}

// text asks for a string.
func (b *block) text(name string, dst *string, checks ...check) {
	a, v, ok := b.ask(name, "string", *dst, checked(checks))
	if !ok {
		return
	}
	s, ok := b.p.string(name, v, a.Expr.Range())
	if !ok || !b.p.check(name, s, a.Expr.Range(), checks) {
		return
	}
	*dst = s
}

// texts asks for a list of strings; the checks are for each of them.
func (b *block) texts(name string, dst *[]string, checks ...check) {
	a, v, ok := b.ask(name, "list of strings", *dst, checked(checks))
	if !ok {
		return
	}
	if t := v.Type(); !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		b.p.invalid(name, a.Expr.Range(), fmt.Sprintf("A list of strings is needed here, not a %s. Put brackets around it: %s = [ … ].", typeName(t), name))
		return
	}
	list := []string{}
	for _, element := range v.AsValueSlice() {
		at := elementRange(a.Expr, len(list))
		s, fine := b.p.string(name, element, at)
		if !fine || !b.p.check(name, s, at, checks) {
			ok = false
		}
		list = append(list, s)
	}
	if !ok {
		return
	}
	if len(list) == 0 {
		list = nil
	}
	*dst = list
}

// boolean asks for true or false.
func (b *block) boolean(name string, dst *bool) {
	a, v, ok := b.ask(name, "bool", *dst, "")
	if !ok {
		return
	}
	v, err := convert.Convert(v, cty.Bool)
	if err != nil || v.IsNull() {
		b.p.invalid(name, a.Expr.Range(), fmt.Sprintf("It is either true or false: %s = true.", name))
		return
	}
	*dst = v.True()
}

// number asks for an integer within bounds.
func (b *block) number(name string, dst *int, least, most int) {
	a, v, ok := b.ask(name, "number", *dst, between(least, most))
	if !ok {
		return
	}
	v, err := convert.Convert(v, cty.Number)
	if err != nil || v.IsNull() {
		b.p.invalid(name, a.Expr.Range(), fmt.Sprintf("A number is needed here: %s = %d.", name, *dst))
		return
	}
	n, _ := v.AsBigFloat().Float64()
	if n != math.Trunc(n) || n < float64(least) || n > float64(most) {
		b.p.invalid(name, a.Expr.Range(), fmt.Sprintf("It is a whole number from %d to %d.", least, most))
		return
	}
	*dst = int(n)
}

// duration asks for a length of time within bounds, written as Go does.
func (b *block) duration(name string, dst *time.Duration, least, most time.Duration) {
	a, v, ok := b.ask(name, "duration", *dst, bounds(least, most))
	if !ok {
		return
	}
	at := a.Expr.Range()
	if v.Type() != cty.String {
		b.p.invalid(name, at, fmt.Sprintf("Durations are strings with a unit: %s = %q.", name, short(*dst)))
		return
	}
	d, err := time.ParseDuration(v.AsString())
	if err != nil {
		b.p.invalid(name, at, fmt.Sprintf("%q is not a duration. Write numbers with a unit of ms, s, m or h, as in %q or \"1h30m\".", v.AsString(), short(*dst)))
		return
	}
	if d < least || d > most {
		b.p.invalid(name, at, fmt.Sprintf("%s is out of bounds: %s.", short(d), bounds(least, most)))
		return
	}
	*dst = d
}

// value computes an attribute and refuses null: leaving the line out says the
// same and can't be mistaken.
func (p *parser) value(a *hclsyntax.Attribute) (cty.Value, bool) {
	v, ok := p.eval(a.Expr)
	if ok && v.IsNull() {
		p.invalid(a.Name, a.Expr.Range(), "null is no value. Remove the line to get the default.")
		return v, false
	}
	return v, ok
}

func (p *parser) string(name string, v cty.Value, at hcl.Range) (string, bool) {
	if v.IsNull() {
		p.invalid(name, at, "null is no string. Remove it.")
		return "", false
	}
	if v.Type() != cty.String {
		p.invalid(name, at, fmt.Sprintf("One string in double quotes is needed here, not a %s.", typeName(v.Type())))
		return "", false
	}
	return v.AsString(), true
}

// elementRange returns where an element of a list is written.
func elementRange(expr hclsyntax.Expression, i int) hcl.Range {
	if list, ok := expr.(*hclsyntax.TupleConsExpr); ok && i < len(list.Exprs) {
		return list.Exprs[i].Range()
	}
	return expr.Range()
}

// typeName calls types as users of job files know them.
func typeName(t cty.Type) string {
	switch {
	case t.IsTupleType():
		return "list"
	case t.IsPrimitiveType():
		return t.FriendlyName()
	}
	return "map"
}
