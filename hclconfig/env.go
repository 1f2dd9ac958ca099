package hclconfig

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// eval computes an expression. The only variables are those of the
// environment, and one that is not set is an error: an empty token or path
// would fail later and further away.
func (p *parser) eval(expr hclsyntax.Expression) (cty.Value, bool) {
	env := map[string]cty.Value{}
	ok := true
	for _, ref := range expr.Variables() {
		name, fine := p.variable(ref)
		if !fine {
			ok = false
			continue
		}
		value, set := p.environ(name)
		if !set {
			p.fail(ref.SourceRange(), fmt.Sprintf("Environment variable %s is not set", name),
				fmt.Sprintf("The job file uses env.%s. Set %s in the environment of consul-ocsp (under systemd with "+
					"Environment= or EnvironmentFile=), or write the value itself here.", name, name))
			ok = false
			continue
		}
		env[name] = cty.StringVal(value)
	}
	if !ok {
		return cty.NilVal, false
	}
	value, diags := expr.Value(&hcl.EvalContext{Variables: map[string]cty.Value{"env": cty.ObjectVal(env)}})
	for _, d := range diags {
		d.Detail += " Write the value itself, or read it from the environment as env.NAME."
	}
	p.diags = append(p.diags, diags...)
	if diags.HasErrors() || !value.IsWhollyKnown() {
		return cty.NilVal, false
	}
	return value, true
}

// variable returns NAME of env.NAME or env["NAME"].
func (p *parser) variable(ref hcl.Traversal) (string, bool) {
	if ref.RootName() != "env" {
		p.fail(ref.SourceRange(), "Unknown variable",
			fmt.Sprintf("There is no %q here. Put text in quotes; the environment is read as env.NAME, or \"${env.NAME}\" inside a string.", ref.RootName()))
		return "", false
	}
	if len(ref) == 2 {
		switch step := ref[1].(type) {
		case hcl.TraverseAttr:
			return step.Name, true
		case hcl.TraverseIndex:
			if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
				return step.Key.AsString(), true
			}
		}
	}
	p.fail(ref.SourceRange(), "Unknown variable", "The environment is read one variable at a time: env.NAME, or \"${env.NAME}\" inside a string.")
	return "", false
}
