//! The grammar we understand: one line for each kind of node of PostgreSQL's raw parse tree, with its
//! fields in the order of the text.
//!
//! Every walk in the crate is made from this table. A node that is not in it is refused, and a field
//! that a newer grammar adds is a compile error here (the structs are taken apart without `..`), so
//! no sub-tree can go unseen. Fields after the semicolon are byte positions in the text, which do not
//! count when trees are compared.
//!
//! Knows no meaning of any node.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

/// A kind of node that is not in the table, by the grammar's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown(pub &'static str);

/// Changes trees in place; each method is called before the walk goes below the node.
pub trait Editor {
    /// Any node in a place where the grammar allows several kinds; `false`: do not go below.
    fn node(&mut self, node: &mut pb::Node) -> bool;
    /// A node by its kind.
    fn tree(&mut self, tree: TreeMut<'_>);
}

/// Walks a tree that may be changed.
pub trait Edit {
    /// Lets `editor` see this node and all below it.
    ///
    /// # Errors
    /// A node that is not in the table.
    fn edit(&mut self, editor: &mut dyn Editor) -> Result<(), Unknown>;
    /// Sets all byte positions to zero, so that two trees compare by meaning.
    fn erase_positions(&mut self);
}

/// What a node is to us.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'t> {
    /// In the table.
    Understood(Tree<'t>),
    /// A statement that changes the catalog, by its name in the grammar.
    Ddl(&'static str),
    /// Anything else, by its name in the grammar.
    Refused(&'static str),
}

macro_rules! leaf {
    ($($t:ty),*) => { $(
        impl Edit for $t {
            fn edit(&mut self, _: &mut dyn Editor) -> Result<(), Unknown> { Ok(()) }
            fn erase_positions(&mut self) {}
        }
        impl<'t> Visit<'t> for $t {
            fn visit(&'t self, _: &mut dyn FnMut(Tree<'t>) -> Result<(), Unknown>) -> Result<(), Unknown> { Ok(()) }
        }
    )* };
}

/// Hands a field's nodes to a visitor.
trait Visit<'t> {
    fn visit(&'t self, f: &mut dyn FnMut(Tree<'t>) -> Result<(), Unknown>) -> Result<(), Unknown>;
}

leaf!(String, bool, i32, i64, u32, pb::a_const::Val);

/// Only analysed trees have one; a raw tree that does is not understood.
impl<'t> Visit<'t> for pb::Query {
    fn visit(&'t self, _: &mut dyn FnMut(Tree<'t>) -> Result<(), Unknown>) -> Result<(), Unknown> {
        Err(Unknown("Query"))
    }
}
impl Edit for pb::Query {
    fn edit(&mut self, _: &mut dyn Editor) -> Result<(), Unknown> {
        Err(Unknown("Query"))
    }
    fn erase_positions(&mut self) {}
}

impl<'t, T: Visit<'t>> Visit<'t> for Option<T> {
    fn visit(&'t self, f: &mut dyn FnMut(Tree<'t>) -> Result<(), Unknown>) -> Result<(), Unknown> {
        self.as_ref().map_or(Ok(()), |x| x.visit(f))
    }
}
impl<'t, T: Visit<'t>> Visit<'t> for Box<T> {
    fn visit(&'t self, f: &mut dyn FnMut(Tree<'t>) -> Result<(), Unknown>) -> Result<(), Unknown> {
        (**self).visit(f)
    }
}
impl<'t> Visit<'t> for Vec<pb::Node> {
    fn visit(&'t self, f: &mut dyn FnMut(Tree<'t>) -> Result<(), Unknown>) -> Result<(), Unknown> {
        self.iter().try_for_each(|n| n.visit(f))
    }
}
impl<'t> Visit<'t> for pb::Node {
    fn visit(&'t self, f: &mut dyn FnMut(Tree<'t>) -> Result<(), Unknown>) -> Result<(), Unknown> {
        f(Tree::of(self)?)
    }
}

impl<T: Edit> Edit for Option<T> {
    fn edit(&mut self, editor: &mut dyn Editor) -> Result<(), Unknown> {
        self.as_mut().map_or(Ok(()), |x| x.edit(editor))
    }
    fn erase_positions(&mut self) {
        if let Some(x) = self {
            x.erase_positions();
        }
    }
}
impl<T: Edit> Edit for Box<T> {
    fn edit(&mut self, editor: &mut dyn Editor) -> Result<(), Unknown> {
        (**self).edit(editor)
    }
    fn erase_positions(&mut self) {
        (**self).erase_positions();
    }
}
impl Edit for Vec<pb::Node> {
    fn edit(&mut self, editor: &mut dyn Editor) -> Result<(), Unknown> {
        self.iter_mut().try_for_each(|n| n.edit(editor))
    }
    fn erase_positions(&mut self) {
        self.iter_mut().for_each(Edit::erase_positions);
    }
}

macro_rules! grammar {
    (
        understood { $($variant:ident($t:ident) { $($field:ident)*; $($position:ident)* })* }
        ddl { $($ddl:ident)* }
        refused { $($refused:ident)* }
    ) => {
        /// A node that we understand.
        #[derive(Debug, Clone, Copy)]
        #[allow(missing_docs)]
        pub enum Tree<'t> { $($variant(&'t pb::$t),)* }

        /// A node that we understand, to be changed; no editor cares for every kind.
        #[allow(missing_docs, dead_code)]
        pub enum TreeMut<'t> { $($variant(&'t mut pb::$t),)* }

        impl<'t> Kind<'t> {
            /// What a node is to us; an empty node is refused.
            pub fn of(node: &'t pb::Node) -> Self {
                match &node.node {
                    None => Self::Refused("a construct newer than this grammar"),
                    $(Some(NodeEnum::$variant(x)) => Self::Understood(Tree::$variant(x)),)*
                    $(Some(NodeEnum::$ddl(_)) => Self::Ddl(stringify!($ddl)),)*
                    $(Some(NodeEnum::$refused(_)) => Self::Refused(stringify!($refused)),)*
                }
            }
        }

        impl<'t> Tree<'t> {
            /// Calls `f` with each node directly below, in the order of the text.
            ///
            /// # Errors
            /// A child that is not in the table, or what `f` returns.
            pub fn each_child(self, f: &mut dyn FnMut(Tree<'t>) -> Result<(), Unknown>) -> Result<(), Unknown> {
                match self {
                    $(Self::$variant(x) => {
                        let pb::$t { $($field,)* $($position: _,)* } = x;
                        $($field.visit(f)?;)*
                        Ok(())
                    })*
                }
            }
        }

        $(
            impl<'t> Visit<'t> for pb::$t {
                fn visit(&'t self, f: &mut dyn FnMut(Tree<'t>) -> Result<(), Unknown>) -> Result<(), Unknown> {
                    f(Tree::$variant(self))
                }
            }
            impl Edit for pb::$t {
                fn edit(&mut self, editor: &mut dyn Editor) -> Result<(), Unknown> {
                    editor.tree(TreeMut::$variant(self));
                    let Self { $($field,)* $($position: _,)* } = self;
                    $($field.edit(editor)?;)*
                    Ok(())
                }
                fn erase_positions(&mut self) {
                    let Self { $($field,)* $($position,)* } = self;
                    $($field.erase_positions();)*
                    $(*$position = 0;)*
                }
            }
        )*

        impl Edit for pb::Node {
            fn edit(&mut self, editor: &mut dyn Editor) -> Result<(), Unknown> {
                if !editor.node(self) {
                    return Ok(());
                }
                match &mut self.node {
                    None => Err(Unknown("a construct newer than this grammar")),
                    $(Some(NodeEnum::$variant(x)) => x.edit(editor),)*
                    $(Some(NodeEnum::$ddl(_)) => Err(Unknown(stringify!($ddl))),)*
                    $(Some(NodeEnum::$refused(_)) => Err(Unknown(stringify!($refused))),)*
                }
            }
            fn erase_positions(&mut self) {
                match &mut self.node {
                    None => {}
                    $(Some(NodeEnum::$variant(x)) => x.erase_positions(),)*
                    $(Some(NodeEnum::$ddl(_)))|* | $(Some(NodeEnum::$refused(_)))|* => {}
                }
            }
        }
    };
}

impl<'t> Tree<'t> {
    /// The node, if it is in the table.
    ///
    /// # Errors
    /// Its name in the grammar.
    pub fn of(node: &'t pb::Node) -> Result<Self, Unknown> {
        match Kind::of(node) {
            Kind::Understood(tree) => Ok(tree),
            Kind::Ddl(name) | Kind::Refused(name) => Err(Unknown(name)),
        }
    }
}

grammar! {
    understood {
        Alias(Alias) { aliasname colnames;  }
        RangeVar(RangeVar) { catalogname schemaname relname inh relpersistence alias; location }
        ColumnRef(ColumnRef) { fields; location }
        ParamRef(ParamRef) { number; location }
        AExpr(AExpr) { kind name lexpr rexpr; rexpr_list_start rexpr_list_end location }
        AConst(AConst) { isnull val; location }
        FuncCall(FuncCall) { funcname args agg_order agg_filter over agg_within_group agg_star agg_distinct func_variadic funcformat; location }
        AStar(AStar) { ;  }
        AIndices(AIndices) { is_slice lidx uidx;  }
        AIndirection(AIndirection) { arg indirection;  }
        AArrayExpr(AArrayExpr) { elements; list_start list_end location }
        ResTarget(ResTarget) { name indirection val; location }
        MultiAssignRef(MultiAssignRef) { source colno ncolumns;  }
        TypeCast(TypeCast) { arg type_name; location }
        CollateClause(CollateClause) { arg collname; location }
        SortBy(SortBy) { node sortby_dir sortby_nulls use_op; location }
        WindowDef(WindowDef) { name refname partition_clause order_clause frame_options start_offset end_offset; location }
        SubLink(SubLink) { xpr sub_link_type sub_link_id testexpr oper_name subselect; location }
        BoolExpr(BoolExpr) { xpr boolop args; location }
        CaseExpr(CaseExpr) { xpr casetype casecollid arg args defresult; location }
        CaseWhen(CaseWhen) { xpr expr result; location }
        CoalesceExpr(CoalesceExpr) { xpr coalescetype coalescecollid args; location }
        MinMaxExpr(MinMaxExpr) { xpr minmaxtype minmaxcollid inputcollid op args; location }
        NullTest(NullTest) { xpr arg nulltesttype argisrow; location }
        BooleanTest(BooleanTest) { xpr arg booltesttype; location }
        RowExpr(RowExpr) { xpr args row_typeid row_format colnames; location }
        NamedArgExpr(NamedArgExpr) { xpr arg name argnumber; location }
        GroupingSet(GroupingSet) { kind content; location }
        GroupingFunc(GroupingFunc) { xpr args refs agglevelsup; location }
        SqlvalueFunction(SqlValueFunction) { xpr op r#type typmod; location }
        XmlExpr(XmlExpr) { xpr op name named_args arg_names args xmloption indent r#type typmod; location }
        XmlSerialize(XmlSerialize) { xmloption expr type_name indent; location }
        SetToDefault(SetToDefault) { xpr type_id type_mod collation; location }
        CurrentOfExpr(CurrentOfExpr) { xpr cvarno cursor_name cursor_param;  }
        MergeSupportFunc(MergeSupportFunc) { xpr msftype msfcollid; location }
        TypeName(TypeName) { names type_oid setof pct_type typmods typemod array_bounds; location }
        String(String) { sval;  }
        Integer(Integer) { ival;  }
        Float(Float) { fval;  }
        Boolean(Boolean) { boolval;  }
        BitString(BitString) { bsval;  }
        List(List) { items;  }
        JsonFuncExpr(JsonFuncExpr) { op column_name context_item pathspec passing output on_empty on_error wrapper quotes; location }
        JsonObjectConstructor(JsonObjectConstructor) { exprs output absent_on_null unique; location }
        JsonArrayConstructor(JsonArrayConstructor) { exprs output absent_on_null; location }
        JsonArrayQueryConstructor(JsonArrayQueryConstructor) { query output format absent_on_null; location }
        JsonObjectAgg(JsonObjectAgg) { constructor arg absent_on_null unique;  }
        JsonArrayAgg(JsonArrayAgg) { constructor arg absent_on_null;  }
        JsonParseExpr(JsonParseExpr) { expr output unique_keys; location }
        JsonScalarExpr(JsonScalarExpr) { expr output; location }
        JsonSerializeExpr(JsonSerializeExpr) { expr output; location }
        JsonIsPredicate(JsonIsPredicate) { expr format item_type unique_keys; location }
        JsonKeyValue(JsonKeyValue) { key value;  }
        JsonValueExpr(JsonValueExpr) { raw_expr formatted_expr format;  }
        JsonOutput(JsonOutput) { type_name returning;  }
        JsonFormat(JsonFormat) { format_type encoding; location }
        JsonReturning(JsonReturning) { format typid typmod;  }
        JsonArgument(JsonArgument) { val name;  }
        JsonBehavior(JsonBehavior) { btype expr coerce; location }
        JsonTable(JsonTable) { context_item pathspec passing columns on_error alias lateral; location }
        JsonTableColumn(JsonTableColumn) { coltype name type_name pathspec format wrapper quotes columns on_empty on_error; location }
        JsonTablePathSpec(JsonTablePathSpec) { string name; name_location location }
        JsonAggConstructor(JsonAggConstructor) { output agg_filter agg_order over; location }
        RangeSubselect(RangeSubselect) { lateral subquery alias;  }
        RangeFunction(RangeFunction) { lateral ordinality is_rowsfrom functions alias coldeflist;  }
        RangeTableFunc(RangeTableFunc) { lateral docexpr rowexpr namespaces columns alias; location }
        RangeTableFuncCol(RangeTableFuncCol) { colname type_name for_ordinality is_not_null colexpr coldefexpr; location }
        RangeTableSample(RangeTableSample) { relation method args repeatable; location }
        JoinExpr(JoinExpr) { jointype is_natural larg rarg using_clause join_using_alias quals alias rtindex;  }
        ColumnDef(ColumnDef) { colname type_name compression inhcount is_local is_not_null is_from_type storage storage_name raw_default cooked_default identity identity_sequence generated coll_clause coll_oid constraints fdwoptions; location }
        WithClause(WithClause) { ctes recursive; location }
        CommonTableExpr(CommonTableExpr) { ctename aliascolnames ctematerialized ctequery search_clause cycle_clause cterecursive cterefcount ctecolnames ctecoltypes ctecoltypmods ctecolcollations; location }
        CtesearchClause(CteSearchClause) { search_col_list search_breadth_first search_seq_column; location }
        CtecycleClause(CteCycleClause) { cycle_col_list cycle_mark_column cycle_mark_value cycle_mark_default cycle_path_column cycle_mark_type cycle_mark_typmod cycle_mark_collation cycle_mark_neop; location }
        LockingClause(LockingClause) { locked_rels strength wait_policy;  }
        IntoClause(IntoClause) { rel col_names access_method options on_commit table_space_name view_query skip_data;  }
        OnConflictClause(OnConflictClause) { action infer target_list where_clause; location }
        InferClause(InferClause) { index_elems where_clause conname; location }
        IndexElem(IndexElem) { name expr indexcolname collation opclass opclassopts ordering nulls_ordering;  }
        MergeWhenClause(MergeWhenClause) { match_kind command_type r#override condition target_list values;  }
        DefElem(DefElem) { defnamespace defname arg defaction; location arg_location }
        ReturningClause(ReturningClause) { options exprs;  }
        ReturningOption(ReturningOption) { option value; location }
        SelectStmt(SelectStmt) { with_clause distinct_clause target_list into_clause from_clause where_clause group_clause group_distinct having_clause window_clause values_lists larg op all rarg sort_clause limit_offset limit_count limit_option locking_clause;  }
        InsertStmt(InsertStmt) { with_clause relation cols r#override select_stmt on_conflict_clause returning_clause;  }
        UpdateStmt(UpdateStmt) { with_clause relation target_list from_clause where_clause returning_clause;  }
        DeleteStmt(DeleteStmt) { with_clause relation using_clause where_clause returning_clause;  }
        MergeStmt(MergeStmt) { relation source_relation join_condition merge_when_clauses returning_clause with_clause;  }
        PrepareStmt(PrepareStmt) { name argtypes query;  }
        ExecuteStmt(ExecuteStmt) { name params;  }
        DeallocateStmt(DeallocateStmt) { name isall; location }
        DeclareCursorStmt(DeclareCursorStmt) { portalname options query;  }
        FetchStmt(FetchStmt) { direction how_many portalname ismove;  }
        ClosePortalStmt(ClosePortalStmt) { portalname;  }
        ExplainStmt(ExplainStmt) { query options;  }
        CopyStmt(CopyStmt) { relation query attlist is_from is_program filename options where_clause;  }
        VariableSetStmt(VariableSetStmt) { kind name args jumble_args is_local; location }
        VariableShowStmt(VariableShowStmt) { name;  }
        TransactionStmt(TransactionStmt) { kind options savepoint_name gid chain; location }
        DiscardStmt(DiscardStmt) { target;  }
        UnlistenStmt(UnlistenStmt) { conditionname; }
        ListenStmt(ListenStmt) { conditionname; }
        NotifyStmt(NotifyStmt) { conditionname payload; payload_location }
        LockStmt(LockStmt) { relations mode nowait; }
        CreateTableAsStmt(CreateTableAsStmt) { query into objtype is_select_into if_not_exists; }
        ConstraintsSetStmt(ConstraintsSetStmt) { constraints deferred;  }
    }
    ddl {
        CreateSchemaStmt AlterTableStmt AlterCollationStmt AlterDomainStmt GrantStmt GrantRoleStmt
        AlterDefaultPrivilegesStmt CreateStmt CreateExtensionStmt AlterExtensionContentsStmt AlterExtensionStmt CreatePolicyStmt
        AlterPolicyStmt CreateTrigStmt CreateRoleStmt AlterRoleStmt DropRoleStmt CreateSeqStmt AlterSeqStmt
        DefineStmt CreateDomainStmt DropStmt TruncateStmt CommentStmt IndexStmt CreateStatsStmt
        AlterStatsStmt CreateFunctionStmt AlterFunctionStmt RenameStmt AlterObjectDependsStmt AlterObjectSchemaStmt AlterOwnerStmt
        AlterOperatorStmt AlterTypeStmt RuleStmt CompositeTypeStmt CreateEnumStmt CreateRangeStmt
        AlterEnumStmt ViewStmt ReindexStmt CreateCastStmt RefreshMatViewStmt
        ClusterStmt VacuumStmt CreatedbStmt DropdbStmt
    }
    refused {
        WindowFuncRunCondition TableFunc Var Param Aggref WindowFunc SubscriptingRef FuncExpr OpExpr DistinctExpr NullIfExpr
        ScalarArrayOpExpr SubPlan AlternativeSubPlan FieldSelect FieldStore RelabelType CoerceViaIo
        ArrayCoerceExpr ConvertRowtypeExpr CollateExpr CaseTestExpr ArrayExpr RowCompareExpr
        JsonConstructorExpr JsonExpr JsonTablePath JsonTablePathScan JsonTableSiblingJoin MergeAction
        CoerceToDomain CoerceToDomainValue NextValueExpr InferenceElem ReturningExpr TargetEntry RangeTblRef
        FromExpr OnConflictExpr Query RoleSpec TableLikeClause PartitionElem PartitionSpec
        PartitionBoundSpec PartitionRangeDatum PartitionCmd RangeTblEntry RtepermissionInfo RangeTblFunction
        TableSampleClause WithCheckOption SortGroupClause WindowClause RowMarkClause TriggerTransition
        RawStmt SetOperationStmt ReturnStmt PlassignStmt AlterTableCmd AtalterConstraint ReplicaIdentityStmt
        ObjectWithArgs AccessPriv Constraint CreateTableSpaceStmt DropTableSpaceStmt
        AlterTableSpaceOptionsStmt AlterTableMoveAllStmt CreateFdwStmt AlterFdwStmt CreateForeignServerStmt
        AlterForeignServerStmt CreateForeignTableStmt CreateUserMappingStmt AlterUserMappingStmt
        DropUserMappingStmt ImportForeignSchemaStmt CreateAmStmt CreateEventTrigStmt AlterEventTrigStmt
        CreatePlangStmt AlterRoleSetStmt CreateOpClassStmt CreateOpClassItem CreateOpFamilyStmt
        AlterOpFamilyStmt SecLabelStmt StatsElem FunctionParameter DoStmt InlineCodeBlock CallStmt
        CallContext LoadStmt AlterDatabaseStmt
        AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt AlterSystemStmt
        VacuumRelation CheckPointStmt CreateConversionStmt CreateTransformStmt
        DropOwnedStmt ReassignOwnedStmt AlterTsdictionaryStmt AlterTsconfigurationStmt PublicationTable
        PublicationObjSpec CreatePublicationStmt AlterPublicationStmt CreateSubscriptionStmt
        AlterSubscriptionStmt DropSubscriptionStmt IntList OidList
    }
}
