package hclconfig

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	maxDepth     = 64   // brackets, braces, parentheses and templates in each other
	maxOperators = 1000 // in one file
)

// shallow refuses text that would need a deep stack to be parsed: one that is
// exhausted ends the whole process, and a running agent has to survive
// whatever is in a file that it is told to read again.
func (p *parser) shallow(f File) bool {
	tokens, _ := hclsyntax.LexConfig(f.Source, f.Name, hcl.InitialPos) // errors: the parser finds them, too
	depth, operators := 0, 0
	var last hclsyntax.TokenType
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			depth = max(depth-1, 0)
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenPlus, hclsyntax.TokenStar, hclsyntax.TokenSlash,
			hclsyntax.TokenPercent, hclsyntax.TokenQuestion, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenEqualOp,
			hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan,
			hclsyntax.TokenGreaterThanEq:
			operators++
		}
		if t.Type == hclsyntax.TokenOBrack && (last == hclsyntax.TokenCBrack || last == hclsyntax.TokenCParen) {
			operators++ // an element of an element
		}
		last = t.Type
		if depth > maxDepth || operators > maxOperators {
			p.fail(t.Range, "Too deep", fmt.Sprintf("A job file has at most %d levels and %d operators. Check that all brackets, braces and quotes above are closed.", maxDepth, maxOperators))
			return false
		}
	}
	return true
}
