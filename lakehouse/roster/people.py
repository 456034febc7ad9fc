"""Names for made workers. Here: first and last names, common ones, put together by chance; nobody is meant."""

from __future__ import annotations

from typing import Final

FIRST: Final = tuple(
    "Aaliyah Aaron Abdi Adrian Agnieszka Aisha Alan Alejandra Alicia Amara Amir Andre Angela Anita Anthony Antonio Arturo"
    " Ashley Beatriz Becky Bernard Brandon Brenda Brian Bruce Carla Carlos Carmen Cedric Chantel Charles Cheng Cheryl"
    " Claudia Connie Corey Craig Cristina Curtis Cynthia Damian Dana Darnell Darryl David Dawn Deborah Derek Devon Diane"
    " Diego Dolores Dominic Donna Dwayne Earl Eduardo Elena Emeka Eric Ernesto Esther Fatima Felix Fernando Frank"
    " Gabriela Gary Gerald Gloria Gregory Guadalupe Halima Harold Hector Helen Hung Ibrahim Irene Isaac Ivan Jackie"
    " Jamal James Janet Jasmine Javier Jenna Jerome Jesse Joanne Jorge Joyce Juan Julie Kareem Karen Keisha Kevin Khadija"
    " Kurt Lamar Latoya Laura Leon Leticia Linda Lorenzo Lucia Luis Mai Malik Marcus Maria Marisol Mark Martha Mateo"
    " Maurice Megan Miguel Monica Nadia Nancy Nathan Nicole Nina Norma Olga Omar Oscar Pamela Patrick Paula Pedro Phuong"
    " Priya Rachel Rafael Ramon Raymond Rebecca Reggie Renee Ricardo Rita Robert Rosa Roy Ruben Ruth Samuel Sandra Sean"
    " Sergio Shanice Sharon Sheila Simone Sofia Stacy Stanley Steven Tamika Tanya Terrell Theresa Thomas Tiffany Tomasz"
    " Tony Tracy Tyrone Ursula Valeria Vanessa Vernon Victor Vincent Wanda Wei Wendell Xavier Yesenia Yusuf Zeynep".split()
)

LAST: Final = tuple(
    "Abbott Abdullah Acosta Adams Aguilar Ali Alvarez Anderson Baker Banks Barnes Becker Bell Bennett Bishop Boateng Booker"
    " Boyd Bradley Brooks Brown Burke Butler Campbell Carter Castillo Chavez Chen Clark Coleman Collins Cooper Cruz"
    " Cunningham Daniels Davis Delgado Diaz Dixon Dorsey Duran Edwards Ellis Espinoza Evans Farah Fields Fisher Flores"
    " Ford Foster Franklin Fuentes Garcia Gibson Gomez Gonzalez Graham Grant Gray Green Griffin Guerrero Gutierrez Hall"
    " Hamilton Hansen Harper Harris Hassan Hayes Henderson Hernandez Herrera Hill Hoffman Holmes Howard Hughes Hunt"
    " Jackson Jensen Jimenez Johnson Jones Jordan Kaminski Kelly Kim King Klein Kowalski Lane Larson Le Lee Lewis Long Lopez"
    " Lozano Maldonado Marshall Martin Martinez Mason Medina Mendoza Meyer Miller Mitchell Mohamed Molina Moore Morales"
    " Moreno Morris Murphy Murray Myers Navarro Nelson Nguyen Nowak Okafor Olson Ortiz Owens Palmer Park Parker Patel"
    " Patterson Perez Perkins Peterson Phillips Pierce Porter Powell Price Quinn Ramirez Ramos Reed Reyes Reynolds Rice"
    " Richardson Rivera Roberts Robinson Rodriguez Rogers Romero Ross Ruiz Russell Salazar Sanchez Sanders Santiago"
    " Schmidt Scott Shaw Silva Simmons Singh Smith Snyder Soto Stevens Stone Sullivan Taylor Thomas Thompson Torres Tran"
    " Turner Valdez Vargas Vasquez Wagner Walker Wallace Ward Warren Washington Watson Weaver Webb Wells West Wheeler"
    " White Williams Willis Wilson Wood Wright Wu Yang Young Zamora Zielinski Zimmerman".split()
)
