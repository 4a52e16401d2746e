//! Templates and their slugs.

use futures::future::join_all;
use hantar_domain::ids::TemplateId;
use hantar_domain::template::Template;
use hantar_usecases::ports::{Deleted, TemplateStored};

use super::{Home, World};

fn template(home: &Home, id: u64, slug: &str) -> Template {
    let at = home.now();
    Template {
        account: home.account,
        id: TemplateId(id),
        name: format!("Template {id}"),
        slug: slug.into(),
        body: "Hi {{name}}".into(),
        is_active: true,
        meta_template: None,
        created_at: at,
        updated_at: at,
    }
}

/// A slug is free again once its template has another one, or is gone.
pub async fn a_slug_belongs_to_one_template(world: World) {
    let home = world.home(0).await;
    let templates = home.tenant.templates();
    let (one, two) = (template(&home, 1, "one"), template(&home, 2, "one"));
    assert_eq!(templates.add_template(&one, 10, None).await.unwrap(), TemplateStored::Done);
    assert_eq!(templates.add_template(&one, 10, None).await.unwrap(), TemplateStored::Done, "a repeat");
    assert_eq!(templates.add_template(&two, 10, None).await.unwrap(), TemplateStored::SlugTaken);
    assert_eq!(templates.template(TemplateId(2)).await.unwrap(), None, "nothing is half written");
    let renamed = Template { slug: "other".into(), updated_at: home.now(), ..one.clone() };
    assert_eq!(templates.change_template(&one, &renamed, None).await.unwrap(), TemplateStored::Done);
    assert_eq!(templates.add_template(&two, 10, None).await.unwrap(), TemplateStored::Done);
    let back = Template { slug: "one".into(), updated_at: home.now(), ..renamed.clone() };
    assert_eq!(templates.change_template(&renamed, &back, None).await.unwrap(), TemplateStored::SlugTaken);
    assert_eq!(templates.delete_template(TemplateId(2), None, home.now()).await.unwrap(), Deleted::Done);
    assert_eq!(templates.change_template(&renamed, &back, None).await.unwrap(), TemplateStored::Done);
    assert_eq!(templates.all_templates().await.unwrap(), [back]);
}

/// The other one is told to look again.
pub async fn of_two_changes_of_a_template_at_once_one_is_made(world: World) {
    let home = world.home(0).await;
    let templates = home.tenant.templates();
    let seen = template(&home, 1, "one");
    templates.add_template(&seen, 10, None).await.unwrap();
    let changes: Vec<_> =
        (0..4).map(|n| Template { name: format!("Name {n}"), updated_at: home.now(), ..seen.clone() }).collect();
    let made = join_all(changes.iter().map(|change| templates.change_template(&seen, change, None))).await;
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    let done: Vec<_> = made.iter().zip(&changes).filter(|(made, _)| **made == TemplateStored::Done).collect();
    assert_eq!(done.len(), 1, "{made:?}");
    assert!(made.iter().all(|made| matches!(made, TemplateStored::Done | TemplateStored::Changed)), "{made:?}");
    assert_eq!(templates.template(TemplateId(1)).await.unwrap().as_ref(), Some(done[0].1));
}

/// A key answers with what it stood for, and is no use for anything else.
pub async fn a_template_is_made_once_under_a_key_and_no_more_than_the_account_may_have(world: World) {
    let home = world.home(0).await;
    let templates = home.tenant.templates();
    let (key, other) = (home.key(1, 1), home.key(1, 2));
    let one = template(&home, 1, "one");
    assert_eq!(templates.add_template(&one, 1, Some(&key)).await.unwrap(), TemplateStored::Done);
    let again = templates.add_template(&template(&home, 2, "two"), 1, Some(&key)).await.unwrap();
    assert_eq!(again, TemplateStored::Replayed(Box::new(one)));
    let reused = templates.add_template(&template(&home, 3, "three"), 1, Some(&other)).await.unwrap();
    assert_eq!(reused, TemplateStored::KeyReused);
    let more = templates.add_template(&template(&home, 4, "four"), 1, None).await.unwrap();
    assert_eq!(more, TemplateStored::Full);
}
