-- Differs from the raw database in what `care.support` may not see.
UPDATE stage.people SET device = md5('other' || id)::uuid, photo = '\xffff', points = -id;
UPDATE stage.papers_old SET shelf = 'other';
