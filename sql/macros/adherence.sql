-- Share of the time judged that was spent as planned; neutral time, what nobody observed among it, is outside.
create macro adherence(adherent, out_of_adherence) as adherent / nullif(adherent + out_of_adherence, 0);

-- Time worked, whenever it was, over time planned for work: as much as was planned is 1, more is above it.
create macro conformance(worked, scheduled_work) as worked / nullif(scheduled_work, 0);
