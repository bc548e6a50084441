//! Expressions.

use syncline_protocol::Type;
use syncline_protocol::logical::{Case, Expr};
use syncline_protocol::param::Param;

use super::{Step, Walk};
use crate::error::QueryError;
use crate::syntax::{ArithmeticOp, CompareOp, Node, NodeKind};

type Pair = (Box<Node>, Box<Node>);

impl Walk {
    pub(super) fn node(&mut self, expr: &Expr) -> Result<Node, QueryError> {
        let at = self.here();
        let kind = self.deeper(|this| this.kind(expr))?;
        Ok(Node { kind, at })
    }

    pub(super) fn optional(
        &mut self,
        name: &'static str,
        expr: Option<&Expr>,
    ) -> Result<Option<Node>, QueryError> {
        expr.map(|expr| self.member(name, |this| this.node(expr)))
            .transpose()
    }

    fn operand(&mut self, name: &'static str, expr: &Expr) -> Result<Box<Node>, QueryError> {
        self.member(name, |this| this.node(expr)).map(Box::new)
    }

    /// An operand of several.
    fn nth(
        &mut self,
        name: &'static str,
        index: usize,
        expr: &Expr,
    ) -> Result<Box<Node>, QueryError> {
        self.member(name, |this| {
            this.inside(Step::Item(index), |this| this.node(expr))
        })
        .map(Box::new)
    }

    fn pair(&mut self, name: &'static str, left: &Expr, right: &Expr) -> Result<Pair, QueryError> {
        Ok((self.nth(name, 0, left)?, self.nth(name, 1, right)?))
    }

    fn kind(&mut self, expr: &Expr) -> Result<NodeKind, QueryError> {
        use NodeKind as K;
        if let Some(kind) = self.comparison(expr).transpose()? {
            return Ok(kind);
        }
        if let Some(kind) = self.sub_query(expr)? {
            return Ok(kind);
        }
        Ok(match expr {
            Expr::Value(value) => K::Literal(value.clone()),
            Expr::Param(name) => K::Parameter(self.name(name)?.text),
            Expr::Column(of, name) => {
                let table = of.as_deref().map(|of| self.name(of)).transpose()?;
                let name = self.name(name)?;
                K::Column { table, name }
            }
            Expr::Not(x) => K::Not(self.operand("not", x)?),
            Expr::Negate(x) => K::Negate(self.operand("negate", x)?),
            Expr::And(items) => self.chain("and", items, K::And)?,
            Expr::Or(items) => self.chain("or", items, K::Or)?,
            Expr::IsNull(x) => K::IsNull(self.operand("is_null", x)?),
            Expr::IsTrue(x) => K::IsTruth(self.operand("is_true", x)?, true),
            Expr::IsFalse(x) => K::IsTruth(self.operand("is_false", x)?, false),
            Expr::Between(x, low, high) => K::Between {
                operand: self.nth("between", 0, x)?,
                low: self.nth("between", 1, low)?,
                high: self.nth("between", 2, high)?,
            },
            Expr::In(x, items) => {
                let operand = self.nth("in", 0, x)?;
                let items = self.member("in", |this| this.items(1, items))?;
                K::In(operand, items)
            }
            Expr::Like(x, pattern) => self.like("like", x, pattern, None)?,
            Expr::LikeEscape(x, pattern, escape) => {
                self.like("like_escape", x, pattern, Some(*escape))?
            }
            Expr::Case(case) => self.member("case", |this| this.case(case))?,
            Expr::Cast(x, ty) => {
                let operand = self.nth("cast", 0, x)?;
                match ty {
                    Type::Option(_) | Type::List(_) | Type::Struct(_) | Type::Enum(_) => {
                        return self.unsupported(&format!("a cast to {ty}"));
                    }
                    scalar => K::Cast(operand, scalar.clone()),
                }
            }
            Expr::Call(name, args) => {
                let name = self.name(name)?.text.to_lowercase();
                let args = self.member("call", |this| this.items(1, args))?;
                K::Call(name, args)
            }
            Expr::CountRows => K::CountRows,
            Expr::CallDistinct(name, args) => {
                let name = self.name(name)?.text.to_lowercase();
                let args = self.member("call_distinct", |this| this.items(1, args))?;
                K::CallDistinct(name, args)
            }
            _ => return self.unsupported("this expression"),
        })
    }

    fn like(
        &mut self,
        name: &'static str,
        operand: &Expr,
        pattern: &Expr,
        escape: Option<char>,
    ) -> Result<NodeKind, QueryError> {
        let (operand, pattern) = self.pair(name, operand, pattern)?;
        Ok(NodeKind::Like {
            operand,
            pattern,
            escape,
        })
    }

    /// A query in an expression, if it is one.
    fn sub_query(&mut self, expr: &Expr) -> Result<Option<NodeKind>, QueryError> {
        use NodeKind as K;
        Ok(Some(match expr {
            Expr::InQuery(x, query) => {
                let operand = self.nth("in_query", 0, x)?;
                let query = self.member("in_query", |this| {
                    this.inside(Step::Item(1), |this| this.query(query))
                })?;
                K::InQuery(operand, Box::new(query))
            }
            Expr::Exists(query) => {
                K::Exists(Box::new(self.member("exists", |this| this.query(query))?))
            }
            Expr::Scalar(query) => {
                K::Scalar(Box::new(self.member("scalar", |this| this.query(query))?))
            }
            _ => return Ok(None),
        }))
    }

    /// An operator of two operands, if it is one.
    fn comparison(&mut self, expr: &Expr) -> Option<Result<NodeKind, QueryError>> {
        let compare = |op| move |(left, right): Pair| NodeKind::Compare(op, left, right);
        let arithmetic = |op| move |(left, right): Pair| NodeKind::Arithmetic(op, left, right);
        let json_part =
            |as_text| move |(json, key): Pair| NodeKind::JsonPart { json, key, as_text };
        Some(match expr {
            Expr::Eq(x, y) => self.pair("eq", x, y).map(compare(CompareOp::Equal)),
            Expr::Ne(x, y) => self.pair("ne", x, y).map(compare(CompareOp::NotEqual)),
            Expr::Lt(x, y) => self.pair("lt", x, y).map(compare(CompareOp::Less)),
            Expr::Le(x, y) => self.pair("le", x, y).map(compare(CompareOp::LessOrEqual)),
            Expr::Gt(x, y) => self.pair("gt", x, y).map(compare(CompareOp::Greater)),
            Expr::Ge(x, y) => self
                .pair("ge", x, y)
                .map(compare(CompareOp::GreaterOrEqual)),
            Expr::Add(x, y) => self.pair("add", x, y).map(arithmetic(ArithmeticOp::Add)),
            Expr::Subtract(x, y) => self
                .pair("subtract", x, y)
                .map(arithmetic(ArithmeticOp::Subtract)),
            Expr::Multiply(x, y) => self
                .pair("multiply", x, y)
                .map(arithmetic(ArithmeticOp::Multiply)),
            Expr::Divide(x, y) => self
                .pair("divide", x, y)
                .map(arithmetic(ArithmeticOp::Divide)),
            Expr::Remainder(x, y) => self
                .pair("remainder", x, y)
                .map(arithmetic(ArithmeticOp::Remainder)),
            Expr::Concat(x, y) => self
                .pair("concat", x, y)
                .map(|(left, right)| NodeKind::Concat(left, right)),
            Expr::Get(x, y) => self.pair("get", x, y).map(json_part(false)),
            Expr::GetText(x, y) => self.pair("get_text", x, y).map(json_part(true)),
            Expr::Same(x, y) => self
                .pair("same", x, y)
                .map(|(left, right)| NodeKind::Distinct {
                    same: true,
                    left,
                    right,
                }),
            _ => return None,
        })
    }

    /// AND and OR are flat, with two items or more: those of an AND inside an AND are its own.
    fn chain(
        &mut self,
        name: &'static str,
        items: &[Expr],
        join: fn(Vec<Node>) -> NodeKind,
    ) -> Result<NodeKind, QueryError> {
        let mut flat = Vec::with_capacity(items.len());
        for node in self.list(name, items, Self::node)? {
            match (name, node.kind) {
                ("and", NodeKind::And(inner)) | ("or", NodeKind::Or(inner)) => flat.extend(inner),
                (_, kind) => flat.push(Node { kind, at: node.at }),
            }
        }
        Ok(match flat.len() {
            0 => NodeKind::Literal(Param::Bool(name == "and")),
            1 => flat.remove(0).kind,
            _ => join(flat),
        })
    }

    fn items(&mut self, index: usize, items: &[Expr]) -> Result<Vec<Node>, QueryError> {
        self.inside(Step::Item(index), |this| {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| this.inside(Step::Item(index), |this| this.node(item)))
                .collect()
        })
    }

    fn case(&mut self, case: &Case) -> Result<NodeKind, QueryError> {
        let operand = case.operand.as_deref();
        let otherwise = case.otherwise.as_deref();
        Ok(NodeKind::Case {
            operand: self.optional("operand", operand)?.map(Box::new),
            arms: self.list("arms", &case.arms, |this, (when, then)| {
                let when = this.inside(Step::Item(0), |this| this.node(when))?;
                Ok((when, this.inside(Step::Item(1), |this| this.node(then))?))
            })?,
            otherwise: self.optional("otherwise", otherwise)?.map(Box::new),
        })
    }
}
