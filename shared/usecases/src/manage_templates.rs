//! An account's templates: made, changed, deleted.

use hantar_domain::contact::Edit;
use hantar_domain::ids::{AccountId, TemplateId};
use hantar_domain::message::MAX_BODY_CHARS;
use hantar_domain::template::{MAX_NAME_CHARS, MAX_SLUG_CHARS, MAX_TEMPLATES, Template, is_slug, slugs_for};
use hantar_domain::time::Timestamp;

use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{Clock, Deleted, Idempotency, PortError, Sequence, TemplateStored, Tenant};

/// How often a change begins anew because somebody else changes the same template.
const LOOKS: usize = 5;

/// A template as somebody gives it: in a change, what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateDraft {
    /// What it is called.
    pub name: Option<String>,
    /// What programs call it; made from the name when absent.
    pub slug: Option<String>,
    /// The text.
    pub body: Option<String>,
    /// Whether it may be used for new messages.
    pub is_active: Option<bool>,
    /// The approved template of Meta's that it stands for.
    pub meta_template: Edit<Option<String>>,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// What is wrong with a template's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateProblem {
    /// It is missing or empty.
    Required,
    /// Longer than this many characters.
    TooLong(usize),
    /// No slug.
    Slug,
    /// Another template has it.
    Taken,
    /// The account has as many as it may have.
    TooMany,
}

/// Why a template is not stored. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Mend the named fields.
    #[error("the template is not valid")]
    Invalid(Vec<(&'static str, TemplateProblem)>),
    /// There is no such template.
    #[error("there is no such template")]
    Missing,
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Everything that is wrong with a draft by itself. A new template has to have a name and a text.
pub fn problems(draft: &TemplateDraft, is_new: bool) -> Vec<(&'static str, TemplateProblem)> {
    let mut problems = Vec::new();
    let meta = match &draft.meta_template {
        Edit::To(name) => name.as_ref(),
        Edit::Keep => None,
    };
    for (field, text, most, must) in [
        ("name", draft.name.as_ref(), MAX_NAME_CHARS, is_new),
        ("body", draft.body.as_ref(), MAX_BODY_CHARS, is_new),
        ("slug", draft.slug.as_ref(), MAX_SLUG_CHARS, false),
        ("meta_template", meta, MAX_NAME_CHARS, false),
    ] {
        match text {
            None if must => problems.push((field, TemplateProblem::Required)),
            Some(text) if text.trim().is_empty() => problems.push((field, TemplateProblem::Required)),
            Some(text) if text.chars().count() > most => problems.push((field, TemplateProblem::TooLong(most))),
            Some(text) if field == "slug" && !is_slug(text) => problems.push((field, TemplateProblem::Slug)),
            _ => {}
        }
    }
    problems
}

/// Makes a template. With an idempotency key a repeat answers the same one.
pub async fn create_template(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    clock: &dyn Clock,
    account: AccountId,
    draft: TemplateDraft,
) -> Result<Template, TemplateError> {
    let found = problems(&draft, true);
    if !found.is_empty() {
        return Err(TemplateError::Invalid(found));
    }
    let now = clock.now();
    let key = key("template", &draft, &[], now);
    let id = TemplateId(numbers.next(Sequence::Templates(account)).await?);
    let name = draft.name.unwrap_or_default();
    let mut template = Template {
        account,
        id,
        slug: String::new(),
        body: draft.body.unwrap_or_default(),
        is_active: draft.is_active.unwrap_or(true),
        meta_template: match draft.meta_template {
            Edit::To(name) => name,
            Edit::Keep => None,
        },
        created_at: now,
        updated_at: now,
        name,
    };
    let slugs: Vec<String> = draft.slug.map_or_else(|| slugs_for(&template.name, id).collect(), |slug| vec![slug]);
    for slug in slugs {
        template.slug = slug;
        match tenant.templates().add_template(&template, MAX_TEMPLATES, key.as_ref()).await? {
            TemplateStored::Done => return Ok(template),
            TemplateStored::Replayed(earlier) => return Ok(*earlier),
            TemplateStored::SlugTaken => {}
            TemplateStored::KeyReused => return Err(TemplateError::KeyReused),
            TemplateStored::Full => return Err(TemplateError::Invalid(vec![("name", TemplateProblem::TooMany)])),
            TemplateStored::Changed => return Err(PortError::Conflict.into()),
        }
    }
    Err(TemplateError::Invalid(vec![("slug", TemplateProblem::Taken)]))
}

/// Changes what a draft names of a template; the slug stays unless it is named. With an idempotency key a repeat answers
/// the template as it is and changes nothing.
pub async fn change_template(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    id: TemplateId,
    draft: TemplateDraft,
) -> Result<Template, TemplateError> {
    let found = problems(&draft, false);
    for _ in 0..LOOKS {
        let seen = tenant.templates().template(id).await?.ok_or(TemplateError::Missing)?;
        if !found.is_empty() {
            return Err(TemplateError::Invalid(found));
        }
        let now = clock.now();
        let key = key("change template", &draft, &id.0.to_be_bytes(), now);
        let template = changed(&seen, &draft, now);
        match tenant.templates().change_template(&seen, &template, key.as_ref()).await? {
            TemplateStored::Done => return Ok(template),
            TemplateStored::Replayed(earlier) => return Ok(*earlier),
            TemplateStored::SlugTaken => {
                return Err(TemplateError::Invalid(vec![("slug", TemplateProblem::Taken)]));
            }
            TemplateStored::KeyReused => return Err(TemplateError::KeyReused),
            TemplateStored::Changed | TemplateStored::Full => {}
        }
    }
    Err(PortError::Conflict.into())
}

fn changed(seen: &Template, draft: &TemplateDraft, now: Timestamp) -> Template {
    let or = |new: &Option<String>, old: &String| new.clone().unwrap_or_else(|| old.clone());
    Template {
        name: or(&draft.name, &seen.name),
        slug: or(&draft.slug, &seen.slug),
        body: or(&draft.body, &seen.body),
        is_active: draft.is_active.unwrap_or(seen.is_active),
        meta_template: match &draft.meta_template {
            Edit::To(name) => name.clone(),
            Edit::Keep => seen.meta_template.clone(),
        },
        updated_at: now,
        ..seen.clone()
    }
}

/// Deletes a template. A repeat under the same key answers the same; without a key the second one finds nothing.
pub async fn delete_template(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    id: TemplateId,
    key: Option<&str>,
) -> Result<Deleted, PortError> {
    let now = clock.now();
    let idempotency = key.map(|key| idempotency("delete template", key, &id.0.to_be_bytes(), now));
    tenant.templates().delete_template(id, idempotency.as_ref(), now).await
}

/// What a draft's key stands for: its content, and the template that it is about.
fn key(kind: &str, draft: &TemplateDraft, about: &[u8], now: Timestamp) -> Option<Idempotency> {
    let (key, content) = draft.idempotency.as_ref()?;
    Some(idempotency(kind, key, &[about, content].concat(), now))
}
